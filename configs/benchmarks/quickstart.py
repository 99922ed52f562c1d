# The whole main job in small: shipped checkpoints and a random control on embedded tasks, minutes on two cores.
_base_ = ["../_base_/models/tiny18.py", "../_base_/recipes/quickstart.py", "../_base_/grids/embedded.py"]
benchmark = dict(
    name="quickstart",
    checkpoints=["group:tiny", "random"],
    protocols=["knn", "linear", "bn", "finetune"],
    seeds=[0, 1],
)
