# Oxford Flowers-102, official train/val/test; mean per-class accuracy.
# Classes, metric and counts are in data/flowers/task.json, which tools/prepare_data.py writes.
task = dict(type="list_task", root="data/flowers")
