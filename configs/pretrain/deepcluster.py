_base_ = "_base_/clustering.py"
method = "DeepCluster"
model = dict(type="DeepCluster", with_sobel=False, neck=dict(type="AvgPool2dNeck"), head=dict(in_channels=128))
# Clusters anew after every fourth epoch, on features whitened to 64 dimensions, which had the best neighbours of three
# short trials; every cluster is drawn equally often in the epoch that follows.
custom_hooks = [
    dict(
        type="DeepClusterHook",
        extractor={{_base_.extractor}},
        clustering=dict(type="Kmeans", k={{_base_.clusters}}, pca_dim=64),
        unif_sampling=True,
        reweight=False,
        reweight_pow=0.5,
        interval=4,
    )
]
# The classifier starts anew with every clustering, so it carries no momentum over.
optimizer = dict(paramwise_cfg={r"\Ahead\.": dict(momentum=0.0)})
runner = dict(max_epochs=146)
