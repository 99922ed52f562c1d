# Your own tasks and checkpoints: replace both lists, or give --task and --checkpoints.
_base_ = ["../_base_/models/resnet50.py", "_base_/small.py"]
recipe = dict(
    name="own",
    test_pipeline=[dict(type="Resize", size=(257, 257)), dict(type="CenterCrop", size=224)],
)
few_shot = dict(
    name="own",
    checkpoints=["moco-v2", "swav", "supervised"],
    tasks=["data/mine"],
    methods=["nearest_mean", "logistic", "linear", "bn", "bn_paper", "finetune"],
    shots=[1, 5],
    episodes=dict(episodes=600, validation=40),
)
