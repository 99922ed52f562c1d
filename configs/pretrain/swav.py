_base_ = "_base_/two_views.py"
method = "SwAV"
model = dict(
    type="SwAV",
    neck=dict(type="SwAVNeck", in_channels=128, hid_channels=128, out_channels=64, norm_cfg=dict(type="BN1d")),
    head=dict(type="SwAVHead", feat_dim=64, num_prototypes=100, num_crops=[2, 4], epsilon=0.03),
)
# Four crops of half the side beside the two views: about the work of one more view.
small_view = [
    dict(type="BnftRandomCrop", size=24, scale=(0.05, 0.25)),
    dict(type="BnftColourJitter"),
    dict(type="BnftToTensor", normalisation={{_base_.normalisation}}),
]
data = dict(train=dict(num_views=[2, 4], pipelines=[{{_base_.view}}, small_view]))
custom_hooks = [
    dict(
        type="SwAVHook",
        batch_size={{_base_.data.samples_per_gpu}},
        epoch_queue_starts=10,
        feat_dim=64,
        queue_length=512,
    )
]
# The rate of the short trial with the best neighbours, the paper's weight decay, and its authors' remedies for a loss
# stuck at that of equal assignments (ln 100), where the first run ended: sharper assignments, prototypes that stand still
# for the first epoch, and a queue that starts later.
optimizer = dict(lr=0.6, weight_decay=1e-6)
optimizer_config = dict(type="DistOptimizerHook", frozen_layers_cfg=dict(prototypes=30))
runner = dict(max_epochs=40)
