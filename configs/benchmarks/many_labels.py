# The part of docs/study.md with many labels: 64 labelled pictures of each class to train with, 32 to choose with.
_base_ = ["../_base_/models/tiny18.py", "../_base_/recipes/many_labels.py"]
drawn = dict(type="drawn", image_size=48, noise=0.08, variation=0.6, train_size=8 * 64, val_size=8 * 32, test_size=600)
benchmark = dict(
    name="many_labels",
    checkpoints=["group:tiny", "group:tiny-early", "random"],
    tasks=[
        dict(drawn, family="textures"),
        dict(drawn, family="blossoms"),
        dict(type="list_task", root="data/clothing", per_class=dict(train=64, val=32)),
    ],
    protocols=["knn", "nearest_class_mean", "logme", "linear", "bn", "bn_paper", "bn_frozen_stats", "finetune"],
    seeds=[0, 1, 2],
)
del drawn
