# Oxford-IIIT Pets, 37 breeds; mean per-class accuracy.
# Classes, metric and counts are in data/pets/task.json, which tools/prepare_data.py writes.
task = dict(type="list_task", root="data/pets")
