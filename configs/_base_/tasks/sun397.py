# SUN397, ten official partitions (0 to 9); top-1.
# Classes, metric and counts are in data/sun397/task.json, which tools/prepare_data.py writes.
task = dict(type="list_task", root="data/sun397")
