# The small study of docs/study.md: the protocols on four sets of real pictures and the embedded tasks.
_base_ = ["../_base_/models/tiny18.py", "../_base_/recipes/few_labels.py", "../_base_/grids/few_labels.py"]
benchmark = dict(
    name="small_study",
    checkpoints=["group:tiny", "group:tiny-early", "random"],
    tasks=[
        {{_base_.few_labels.digits}},
        {{_base_.few_labels.textures}},
        {{_base_.few_labels.sign_digits}},
        {{_base_.few_labels.coffee_leaf}},
        {{_base_.few_labels.caltech101_small}},
        {{_base_.few_labels.omniglot}},
    ],
    protocols=["knn", "nearest_class_mean", "logme", "linear", "bn", "bn_paper", "bn_frozen_stats", "finetune"],
    seeds=[0, 1, 2],
)
