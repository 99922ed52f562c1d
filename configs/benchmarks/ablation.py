# Every protocol with the same search budget, five seeds and a random control, on embedded tasks.
_base_ = ["../_base_/models/tiny18.py", "../_base_/recipes/quickstart.py", "../_base_/grids/embedded.py"]
benchmark = dict(
    name="ablation",
    checkpoints=["tiny-simclr", "tiny-byol", "tiny-moco-v2", "tiny-swav", "random"],
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
