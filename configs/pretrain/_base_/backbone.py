# The narrow ResNet-18 that every method pre-trains and pretrained_models/tiny holds: 702,096 values.
model = dict(
    backbone=dict(
        type="ResNet",
        depth=18,
        in_channels=3,
        base_channels=16,
        stem_channels=16,
        out_indices=[4],
        norm_cfg=dict(type="BN"),
    )
)
