# Two augmented views per picture.
_base_ = ["backbone.py", "common.py", "schedule.py"]
view = [
    dict(type="BnftRandomCrop", size={{_base_.input_size}}),
    dict(type="BnftColourJitter"),
    dict(type="BnftToTensor", normalisation={{_base_.normalisation}}),
]
data = dict(
    samples_per_gpu=128,
    drop_last=True,
    train=dict(type="MultiViewDataset", data_source=dict(type="BnftArraySource"), num_views=[2], pipelines=[view]),
)
