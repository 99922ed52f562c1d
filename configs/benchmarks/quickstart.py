# The whole main job in small: shipped checkpoints and a random control on embedded tasks, minutes on two cores.
_base_ = ["../_base_/models/tiny18.py", "../_base_/recipes/quickstart.py"]
sizes = dict(image_size=32, train_size=192, val_size=96, test_size=600)
benchmark = dict(
    name="quickstart",
    checkpoints=["group:tiny", "random"],
    tasks=[
        dict(type="digits", **sizes),
        dict(type="drawn", family="textures", variation=0.3, noise=0.05, **sizes),
        dict(type="drawn", family="blossoms", variation=0.2, noise=0.05, **sizes),
    ],
    protocols=["knn", "linear", "bn", "bn_paper", "finetune"],
)
del sizes
