# ISIC 2018 task 3, seven skin lesions, the challenge's train/val/test; mean per-class accuracy.
# Classes, metric and counts are in data/isic2018/task.json, which tools/prepare_data.py writes.
task = dict(type="list_task", root="data/isic2018")
