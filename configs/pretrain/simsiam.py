_base_ = "_base_/two_views.py"
method = "SimSiam"
model = dict(
    type="SimSiam",
    neck=dict(
        type="NonLinearNeck",
        in_channels=128,
        hid_channels=256,
        out_channels=256,
        num_layers=3,
        with_last_bn_affine=False,
        norm_cfg=dict(type="BN1d"),
    ),
    head=dict(
        type="LatentPredictHead",
        predictor=dict(
            type="NonLinearNeck",
            in_channels=256,
            hid_channels=64,
            out_channels=256,
            with_avg_pool=False,
            with_last_bn=False,
            with_last_bias=True,
            norm_cfg=dict(type="BN1d"),
        ),
    ),
)
# As in the paper, three layers in the projection and a predictor whose rate does not follow the cosine. Rate and layers
# are those with the best neighbours on two labelled sets that are no task, of three short trials.
optimizer = dict(lr=0.06, paramwise_cfg=dict(predictor=dict(fix_lr=True)))
custom_hooks = [dict(type="SimSiamHook", fix_pred_lr=True, lr=0.06, adjust_by_epoch=False)]
runner = dict(max_epochs=77)
