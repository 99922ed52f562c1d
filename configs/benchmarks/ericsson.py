# Ericsson et al. (2021): thirteen SSL checkpoints and the supervised one on their many-shot tasks, first splits, with
# their recipe. They published nothing for BN tuning, which takes the settings of their fine-tuning here.
_base_ = ["../_base_/models/resnet50.py", "../_base_/recipes/ericsson.py"]
benchmark = dict(
    name="ericsson",
    checkpoints=["group:study12", "pirl", "supervised"],
    tasks=[
        "data/aircraft",
        "data/caltech101",
        "data/cars",
        "data/cifar10",
        "data/cifar100",
        "data/dtd",
        "data/flowers",
        "data/food101",
        "data/pets",
        "data/sun397",
        "data/voc2007",
    ],
    protocols=["linear", "bn", "finetune"],
)
