# MHIST, two kinds of colorectal polyps; mean per-class accuracy.
# Classes, metric and counts are in data/mhist/task.json, which tools/prepare_data.py writes.
task = dict(type="list_task", root="data/mhist")
