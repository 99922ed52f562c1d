_base_ = [
    "../_base_/models/resnet50.py",
    "../_base_/tasks/aircraft.py",
    "../_base_/recipes/clean.py",
]
