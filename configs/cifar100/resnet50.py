_base_ = [
    "../_base_/models/resnet50.py",
    "../_base_/tasks/cifar100.py",
    "../_base_/recipes/clean.py",
]
