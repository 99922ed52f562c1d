_base_ = "_base_/two_views.py"
method = "SimSiam"
model = dict(
    type="SimSiam",
    neck=dict(
        type="NonLinearNeck",
        in_channels=128,
        hid_channels=256,
        out_channels=256,
        num_layers=2,
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
# As in the paper: two layers in the projection and this base rate for pictures of 32 pixels (with twice the rate the loss
# reached its plateau in four epochs and rose again), and a predictor whose rate does not follow the cosine.
optimizer = dict(lr=0.03, paramwise_cfg=dict(predictor=dict(fix_lr=True)))
custom_hooks = [dict(type="SimSiamHook", fix_pred_lr=True, lr=0.03, adjust_by_epoch=False)]
runner = dict(max_epochs=46)
