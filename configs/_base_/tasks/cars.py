# Stanford Cars, 196 models; top-1.
# Classes, metric and counts are in data/cars/task.json, which tools/prepare_data.py writes.
task = dict(type="list_task", root="data/cars")
