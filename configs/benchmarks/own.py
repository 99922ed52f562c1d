# Your own task and checkpoints: override benchmark.tasks and benchmark.checkpoints.
_base_ = ["../_base_/models/resnet50.py", "../_base_/recipes/clean.py"]
benchmark = dict(
    name="own",
    checkpoints=["moco-v2", "swav", "supervised"],
    tasks=["data/mine"],
    protocols=["linear", "bn", "finetune"],
)
