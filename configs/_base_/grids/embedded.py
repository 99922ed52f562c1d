# The embedded tasks of the shipped grids: hand-written digits, and drawn textures.
_base_ = "few_labels.py"
benchmark = dict(tasks=[{{_base_.few_labels.digits}}, {{_base_.few_labels.textures}}])
