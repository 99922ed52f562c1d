_base_ = [
    "../_base_/models/resnet50.py",
    "../_base_/tasks/cifar10.py",
    "../_base_/recipes/clean.py",
]
