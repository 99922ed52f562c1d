# Every protocol with the same search budget, five seeds and a random control, on embedded tasks.
_base_ = ["../_base_/models/tiny18.py", "../_base_/recipes/quickstart.py"]
sizes = dict(image_size=32, train_size=192, val_size=96, test_size=600)
benchmark = dict(
    name="ablation",
    checkpoints=["tiny-simclr", "tiny-byol", "tiny-moco-v2", "tiny-swav", "random"],
    tasks=[
        dict(type="digits", **sizes),
        dict(type="drawn", family="textures", variation=0.3, noise=0.05, **sizes),
        dict(type="drawn", family="blossoms", variation=0.2, noise=0.05, **sizes),
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
