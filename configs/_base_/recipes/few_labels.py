# The quickstart's recipe, twice as long and at the size of the small checkpoints' pre-training: for 64 labels or so.
_base_ = "quickstart.py"
resize = [dict(type="Resize", size=(48, 48))]
recipe = dict(name="few_labels", epochs=16, train_pipeline=resize, test_pipeline=resize)
del resize
