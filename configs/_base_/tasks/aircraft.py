# FGVC-Aircraft, 100 variants, official train/val/test; mean per-class accuracy.
# Classes, metric and counts are in data/aircraft/task.json, which tools/prepare_data.py writes.
task = dict(type="list_task", root="data/aircraft")
