# ResNet-50 as in MMSelfSup; the head's sizes come from the backbone and the task.
model = dict(
    type="Classification",
    backbone=dict(type="ResNet", depth=50, in_channels=3, out_indices=[4], norm_cfg=dict(type="BN")),
    head=dict(type="BnftLinearHead"),
)
