_base_ = "_base_/two_views.py"
method = "BYOL"
model = dict(
    type="BYOL",
    base_momentum=0.99,
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
# Momentum and rate with the best neighbours on two labelled sets that are no task, of three short trials.
optimizer = dict(lr=0.15)
custom_hooks = [dict(type="MomentumUpdateHook", end_momentum=1.0)]
runner = dict(max_epochs=61)
