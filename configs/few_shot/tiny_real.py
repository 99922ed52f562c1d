# The shipped checkpoints on array files of real images, given by --task, at the 48 pixels of their pre-training. A hundred
# steps let a linear head come close to its optimum at 5 shots, but not at 20 (docs/few_shot_results.md).
_base_ = ["../_base_/models/tiny18.py", "_base_/small.py"]
recipe = dict(name="tiny_real_100", steps=100, batch_size=25, test_pipeline=[dict(type="Resize", size=(48, 48))])
few_shot = dict(
    name="tiny_real",
    checkpoints=["group:tiny", "random"],
    tasks=[],
    methods=["nearest_mean", "logistic", "linear", "bn"],
    shots=[1, 5, 20],
    episodes=dict(episodes=100, validation=10, small_classes="exclude"),
)
