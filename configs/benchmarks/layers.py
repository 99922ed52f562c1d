# Which norm layers matter: those of the stem, of one stage, the last alone, all, and statistics without parameters.
_base_ = ["../_base_/models/tiny18.py", "../_base_/recipes/quickstart.py", "../_base_/grids/embedded.py"]
parts = ["stem", "stage:1", "stage:2", "stage:3", "stage:4", "last"]
benchmark = dict(
    name="layers",
    checkpoints=["tiny-simclr", "tiny-byol", "tiny-moco-v2", "tiny-swav", "random"],
    protocols=[
        "linear",
        "bn_stats",
        *[
            dict(
                name="bn_" + part.replace(":", ""),
                phases=[dict(train="norm", norm_layers=part, norm_stats="batch", lr_scale=8)],  # the rates of `bn`
            )
            for part in parts
        ],
        "bn",
        "finetune",
    ],
)
del parts
