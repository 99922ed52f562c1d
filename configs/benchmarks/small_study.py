# The small study of docs/study.md: the protocols on five sets of real pictures and the embedded tasks. Not run yet.
_base_ = ["../_base_/models/tiny18.py", "../_base_/recipes/few_labels.py"]
sizes = dict(image_size=48, train_size=64, val_size=64, test_size=600)
benchmark = dict(
    name="small_study",
    checkpoints=["group:tiny", "group:tiny-early", "random"],
    tasks=[
        dict(type="digits", **sizes),
        dict(type="drawn", family="textures", variation=0.3, noise=0.05, **sizes),
        dict(type="list_task", root="data/sign_digits", per_class=dict(train=8, val=8)),
        dict(type="list_task", root="data/clothing", per_class=dict(train=8, val=8)),
        dict(type="list_task", root="data/coffee_leaf", per_class=dict(train=16, val=16)),
        dict(type="list_task", root="data/caltech101", per_class=dict(train=1, val=1)),
        dict(type="list_task", root="data/omniglot", per_class=dict(train=1, val=1)),
    ],
    protocols=["knn", "nearest_class_mean", "logme", "linear", "bn", "bn_paper", "bn_frozen_stats", "finetune"],
    seeds=[0, 1, 2],
)
del sizes
