_base_ = [
    "../_base_/models/resnet50.py",
    "../_base_/tasks/isic2018_cdfsl.py",
    "../_base_/recipes/clean.py",
]
