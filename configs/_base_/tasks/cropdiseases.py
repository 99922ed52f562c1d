# CropDiseases of CD-FSL: the three lists together are the pool of episodes.
# Classes, metric and counts are in data/cropdiseases/task.json, which tools/prepare_data.py writes.
task = dict(type="list_task", root="data/cropdiseases")
