_base_ = [
    "../_base_/models/resnet50.py",
    "../_base_/tasks/pets.py",
    "../_base_/recipes/clean.py",
]
