# Which norm layers matter: those of the stem, of one stage, the last alone, all, and statistics without parameters.
_base_ = ["../_base_/models/tiny18.py", "../_base_/recipes/quickstart.py"]
sizes = dict(image_size=32, train_size=192, val_size=96, test_size=600)
parts = ["stem", "stage:1", "stage:2", "stage:3", "stage:4", "last"]
benchmark = dict(
    name="layers",
    checkpoints=["tiny-simclr", "tiny-byol", "tiny-moco-v2", "tiny-swav", "random"],
    tasks=[
        dict(type="digits", **sizes),
        dict(type="drawn", family="textures", variation=0.3, noise=0.05, **sizes),
        dict(type="drawn", family="blossoms", variation=0.2, noise=0.05, **sizes),
    ],
    protocols=[
        "linear",
        "bn_stats",
        *[
            dict(name="bn_" + part.replace(":", ""), phases=[dict(train="norm", norm_layers=part, norm_stats="batch")])
            for part in parts
        ],
        "bn",
        "finetune",
    ],
)
del sizes, parts
