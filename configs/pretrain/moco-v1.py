_base_ = "_base_/two_views.py"
method = "MoCo v1"
model = dict(
    type="MoCo",
    queue_len=2048,
    feat_dim=64,
    momentum=0.99,
    neck=dict(type="LinearNeck", in_channels=128, out_channels=64),
    head=dict(type="ContrastiveHead", temperature=0.07),
)
