# Food-101; top-1.
# Classes, metric and counts are in data/food101/task.json, which tools/prepare_data.py writes.
task = dict(type="list_task", root="data/food101")
