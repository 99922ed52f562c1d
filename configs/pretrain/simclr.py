_base_ = "_base_/two_views.py"
method = "SimCLR"
model = dict(
    type="SimCLR",
    neck=dict(
        type="NonLinearNeck",
        in_channels=128,
        hid_channels=128,
        out_channels=64,
        num_layers=2,
        norm_cfg=dict(type="BN1d"),
    ),
    head=dict(type="ContrastiveHead", temperature=0.2),
)
runner = dict(max_epochs=80)
