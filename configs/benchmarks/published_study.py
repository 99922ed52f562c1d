# The published study: its twelve checkpoints (data/published has their fine-tuning results) on its eleven tasks, every
# official split, with the settings of vpulab/bn_finetuning. A cluster's work: see docs/benchmark.md for shards and Ray.
_base_ = ["../_base_/models/resnet50.py", "../_base_/recipes/vpulab.py"]
benchmark = dict(
    name="published_study",
    checkpoints=["group:study12"],
    tasks=[
        "data/aircraft",
        "data/caltech101",
        "data/cars",
        "data/cifar10",
        "data/cifar100",
        dict(type="list_task", root="data/dtd", splits=list(range(10))),
        "data/flowers",
        "data/food101",
        "data/pets",
        dict(type="list_task", root="data/sun397", splits=list(range(10))),
        "data/voc2007",
    ],
    protocols=["linear", "bn_paper", "finetune"],
)
