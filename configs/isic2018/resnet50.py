_base_ = [
    "../_base_/models/resnet50.py",
    "../_base_/tasks/isic2018.py",
    "../_base_/recipes/clean.py",
]
