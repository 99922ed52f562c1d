_base_ = "_base_/two_views.py"
method = "MoCo v1"
# The momentum that MoCo's authors use for small data: with 0.95 the keys in the queue were of too different networks and
# the loss rose from the third epoch on.
model = dict(
    type="MoCo",
    queue_len=1024,
    feat_dim=64,
    momentum=0.99,
    neck=dict(type="LinearNeck", in_channels=128, out_channels=64),
    head=dict(type="ContrastiveHead", temperature=0.07),
)
custom_hooks = [dict(type="BnftEqualStartHook")]
runner = dict(max_epochs=88)
