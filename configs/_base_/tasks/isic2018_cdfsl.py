# ISIC of CD-FSL: the three lists together are the pool of episodes, and they share lesions.
# Classes, metric and counts are in data/isic2018_cdfsl/task.json, which tools/prepare_data.py writes.
task = dict(type="list_task", root="data/isic2018_cdfsl")
