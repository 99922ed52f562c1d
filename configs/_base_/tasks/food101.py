# Food-101; top-1. No published statistics: the published configuration names a file that does not exist.
# Classes, metric and counts are in data/food101/task.json, which tools/prepare_data.py writes.
task = dict(type="list_task", root="data/food101")
image_size = 224
