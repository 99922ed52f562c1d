# Your own task: prepare the folder data/mine first, or set task.root.
_base_ = ["../_base_/models/resnet50.py", "../_base_/recipes/clean.py"]
task = dict(type="list_task", root="data/mine")
