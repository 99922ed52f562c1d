# ChestX of CD-FSL: seven single findings; the official lists, patients kept apart.
# Classes, metric and counts are in data/chestx/task.json, which tools/prepare_data.py writes.
task = dict(type="list_task", root="data/chestx")
