# Caltech-101 with its background class; split 0 is Ericsson's draw, split 1 the common 30 a class.
# Classes, metric and counts are in data/caltech101/task.json, which tools/prepare_data.py writes.
task = dict(type="list_task", root="data/caltech101")
