# EuroSAT RGB, 64-pixel images; top-1. Split 0 is 60/20/20, split 1 VISSL's first 1,000 and next 500 a class.
# Classes, metric and counts are in data/eurosat/task.json, which tools/prepare_data.py writes.
task = dict(type="list_task", root="data/eurosat")
