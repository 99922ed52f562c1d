# The whole main job in small: shipped checkpoints and a random control on embedded tasks, minutes on two cores.
_base_ = ["../_base_/models/tiny18.py", "../_base_/schedules/quickstart.py"]
sizes = dict(image_size=32, train_size=240, val_size=160, test_size=800)
benchmark = dict(
    name="quickstart",
    checkpoints=["group:tiny", "random"],
    tasks=[
        dict(type="digits", **sizes),
        dict(type="drawn", family="textures", **sizes),
        dict(type="drawn", family="blossoms", **sizes),
    ],
    protocols=["linear", "bn", "bn_paper", "finetune"],
)
del sizes
