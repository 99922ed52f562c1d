# For tasks with hundreds of labels: that of few labels with more steps (docs/study.md).
_base_ = "few_labels.py"
recipe = dict(name="many_labels", steps=768)
