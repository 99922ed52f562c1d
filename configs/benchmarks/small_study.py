# The small study of docs/study.md: every protocol on five sets of real pictures and the embedded tasks. Not run yet.
_base_ = ["../_base_/models/tiny18.py"]
recipe = dict(
    name="small_study",
    epochs=60,
    batch_size=32,
    optimizer=dict(type="SGD", lr=0.01, momentum=0.9, weight_decay=1e-4),
    lr_config=dict(policy="CosineAnnealing", min_lr=0.0, by_epoch=False),
    train_pipeline=[dict(type="RandomResizedCrop", size=48, scale=(0.35, 1.0)), dict(type="RandomHorizontalFlip")],
    test_pipeline=[dict(type="Resize", size=(48, 48))],
    search=dict(lr=[0.003, 0.01, 0.03, 0.1]),
)
sizes = dict(image_size=48, train_size=192, val_size=96, test_size=600)
benchmark = dict(
    name="small_study",
    checkpoints=["group:tiny", "random"],
    tasks=[
        "data/caltech101_small",
        "data/clothing",
        "data/coffee_leaf",
        "data/omniglot",
        "data/sign_digits",
        dict(type="digits", **sizes),
        dict(type="drawn", family="textures", variation=0.3, noise=0.05, **sizes),
        dict(type="drawn", family="blossoms", variation=0.2, noise=0.05, **sizes),
    ],
    protocols=[
        "knn",
        "nearest_class_mean",
        "logme",
        "linear",
        "bn",
        "bn_paper",
        "bn_frozen_stats",
        "finetune",
    ],
    seeds=[0, 1, 2],
)
del sizes
