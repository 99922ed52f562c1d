_base_ = "_base_/clustering.py"
method = "ODC"
model = dict(
    type="ODC",
    neck=dict(type="ODCNeck", in_channels=128, hid_channels=128, out_channels=64, norm_cfg=dict(type="BN1d")),
    head=dict(in_channels=64),
    memory_bank=dict(type="ODCMemory", feat_dim=64, momentum=0.3, num_classes={{_base_.clusters}}, min_cluster=10),
)
# One clustering at the start, then the memory follows the network.
custom_hooks = [
    dict(
        type="DeepClusterHook",
        extractor={{_base_.extractor}},
        clustering=dict(type="Kmeans", k={{_base_.clusters}}, pca_dim=32),
        unif_sampling=False,
        reweight=True,
        reweight_pow=0.5,
        init_memory=True,
        interval=1_000_000,
    ),
    dict(
        type="ODCHook",
        centroids_update_interval=10,
        deal_with_small_clusters_interval=1,
        evaluate_interval=50,
        reweight=True,
        reweight_pow=0.5,
    ),
]
# The labels move with the network, so the classifier carries no momentum; a small step would never leave the start.
optimizer = dict(lr=0.06, paramwise_cfg={r"\Ahead\.": dict(momentum=0.0)})
# As in the paper, the rate falls to a tenth for the last tenth of the epochs.
lr_config = dict(policy="step", step=[120])
runner = dict(max_epochs=134)
