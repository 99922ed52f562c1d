# Every protocol with the same search budget, five seeds and random controls, on embedded tasks and three real sets with
# few labels. EfficientNet-Lite0 and its random control get their own network.
_base_ = ["../_base_/models/tiny18.py", "../_base_/recipes/few_labels.py", "../_base_/grids/few_labels.py"]
benchmark = dict(
    name="ablation",
    checkpoints=["tiny-simclr", "tiny-byol", "tiny-moco-v2", "tiny-swav", "efficientnet-lite0", "random"],
    tasks=[
        {{_base_.few_labels.digits}},
        {{_base_.few_labels.textures}},
        {{_base_.few_labels.sign_digits}},
        {{_base_.few_labels.clothing}},
        {{_base_.few_labels.coffee_leaf}},
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
