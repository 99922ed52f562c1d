# Plant disease (PlantVillage), 38 classes; mean per-class accuracy.
# Classes, metric and counts are in data/plant_disease/task.json, which tools/prepare_data.py writes.
task = dict(type="list_task", root="data/plant_disease")
