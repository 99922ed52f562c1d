_base_ = "_base_/two_views.py"
method = "BYOL"
model = dict(
    type="BYOL",
    base_momentum=0.98,
    neck=dict(
        type="NonLinearNeck",
        in_channels=128,
        hid_channels=256,
        out_channels=64,
        num_layers=2,
        with_bias=True,
        with_last_bn=False,
        norm_cfg=dict(type="BN1d"),
    ),
    head=dict(
        type="LatentPredictHead",
        predictor=dict(
            type="NonLinearNeck",
            in_channels=64,
            hid_channels=256,
            out_channels=64,
            num_layers=2,
            with_bias=True,
            with_last_bn=False,
            with_avg_pool=False,
            norm_cfg=dict(type="BN1d"),
        ),
    ),
)
custom_hooks = [dict(type="MomentumUpdateHook", end_momentum=1.0)]
runner = dict(max_epochs=34)
