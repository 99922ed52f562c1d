_base_ = "_base_/two_views.py"
method = "MoCo v2"
# Momentum and temperature that MoCo's authors use for small data; with a momentum much lower than this the queue holds
# keys of too different networks and the loss does not settle.
model = dict(
    type="MoCo",
    queue_len=1024,
    feat_dim=64,
    momentum=0.99,
    neck=dict(type="MoCoV2Neck", in_channels=128, hid_channels=128, out_channels=64),
    head=dict(type="ContrastiveHead", temperature=0.1),
)
custom_hooks = [dict(type="BnftEqualStartHook")]
runner = dict(max_epochs=89)
