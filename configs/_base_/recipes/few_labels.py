# For tasks with a few labels a class, at the size of the small checkpoints' pre-training: the quickstart's recipe with the
# same number of steps however many images there are, and enough of them to fit (docs/study.md).
_base_ = "quickstart.py"
resize = [dict(type="Resize", size=(48, 48))]
recipe = dict(name="few_labels", epochs=None, steps=256, train_pipeline=resize, test_pipeline=resize)
del resize
