# CIFAR-100, fine labels, exported as 32-pixel PNG files; top-1.
# Classes, metric and counts are in data/cifar100/task.json, which tools/prepare_data.py writes.
task = dict(type="list_task", root="data/cifar100")
