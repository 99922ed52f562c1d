# CIFAR-10, exported as 32-pixel PNG files; top-1.
# Classes, metric and counts are in data/cifar10/task.json, which tools/prepare_data.py writes.
task = dict(type="list_task", root="data/cifar10")
