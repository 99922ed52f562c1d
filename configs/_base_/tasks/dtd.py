# Describable Textures, 47 classes, ten official splits (0 to 9); top-1.
# Classes, metric and counts are in data/dtd/task.json, which tools/prepare_data.py writes.
task = dict(type="list_task", root="data/dtd")
