_base_ = "_base_/two_views.py"
method = "Barlow Twins"
# The weight off the diagonal is for 256 dimensions: there are far fewer such entries per dimension than in the paper.
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
    head=dict(type="LatentCrossCorrelationHead", in_channels=256, lambd=0.02),
)
# The loss sums over all dimensions and is therefore large; with 0.01 and a weight of 0.05 it rose.
optimizer = dict(lr=0.002)
runner = dict(max_epochs=72)
