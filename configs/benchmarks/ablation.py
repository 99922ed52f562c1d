# Every protocol with the same search budget, five seeds and random controls, on embedded tasks and three real sets with
# few labels. EfficientNet-Lite0 and its random control get their own network.
_base_ = ["../_base_/models/tiny18.py", "../_base_/recipes/few_labels.py"]
sizes = dict(image_size=48, train_size=64, val_size=64, test_size=600)
benchmark = dict(
    name="ablation",
    checkpoints=["tiny-simclr", "tiny-byol", "tiny-moco-v2", "tiny-swav", "efficientnet-lite0", "random"],
    tasks=[
        dict(type="digits", **sizes),
        dict(type="drawn", family="textures", variation=0.3, noise=0.05, **sizes),
        dict(type="list_task", root="data/sign_digits", per_class=dict(train=8, val=8)),
        dict(type="list_task", root="data/clothing", per_class=dict(train=8, val=8)),
        dict(type="list_task", root="data/coffee_leaf", per_class=dict(train=16, val=16)),
    ],
    protocols=[
        "linear",
        "bn",
        "bn_paper",
        "bn_frozen_stats",
        "linear_then_bn",
        "bn_stats",
        "bn_then_finetune",
        "partial",
        "linear_then_finetune",
        "finetune",
    ],
    seeds=[0, 1, 2, 3, 4],
)
del sizes
