_base_ = "_base_/two_views.py"
method = "Barlow Twins"
model = dict(
    type="BarlowTwins",
    neck=dict(
        type="NonLinearNeck",
        in_channels=128,
        hid_channels=256,
        out_channels=256,
        num_layers=3,
        with_last_bn=False,
        with_last_bn_affine=False,
        norm_cfg=dict(type="BN1d"),
    ),
    head=dict(type="LatentCrossCorrelationHead", in_channels=256),
)
optimizer = dict(lr=0.01)
