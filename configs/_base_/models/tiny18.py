# The narrow ResNet-18 of pretrained_models/tiny: 702,096 parameters.
model = dict(
    type="Classification",
    backbone=dict(
        type="ResNet",
        depth=18,
        in_channels=3,
        base_channels=16,
        stem_channels=16,
        out_indices=[4],
        norm_cfg=dict(type="BN"),
    ),
    head=dict(type="BnftLinearHead"),
)
