# Shipped checkpoints on embedded images: nothing to download, about a minute on two cores.
_base_ = ["../_base_/models/tiny18.py", "_base_/small.py"]
few_shot = dict(
    name="quickstart",
    checkpoints=["tiny-rotation", "tiny-simclr", "random"],
    tasks=[dict(type="digits", image_size=32), dict(type="glyphs", image_size=32)],
    methods=["nearest_mean", "logistic", "linear", "bn"],
    shots=[5],
    episodes=dict(episodes=32, validation=8),
)
