# The narrow ResNet-18 that every method pre-trains: 702,096 values.
custom_imports = dict(imports=["mmbnft.pretraining"], allow_failed_imports=False)
normalisation = dict(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
seed = 0
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
