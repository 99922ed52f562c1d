# PASCAL VOC2007 classification, 20 classes, several an image; 11-point mean average precision.
# Classes, metric and counts are in data/voc2007/task.json, which tools/prepare_data.py writes.
task = dict(type="list_task", root="data/voc2007")
