_base_ = "_base_/two_views.py"
method = "MoCo v2"
# A short run: the key network, which the host initialises apart from the query network, has to catch up soon.
model = dict(
    type="MoCo",
    queue_len=1024,
    feat_dim=64,
    momentum=0.95,
    neck=dict(type="MoCoV2Neck", in_channels=128, hid_channels=128, out_channels=64),
    head=dict(type="ContrastiveHead", temperature=0.2),
)
