# Pictures are clustered by their features; the clusters are the labels of the network.
_base_ = "one_view.py"
clusters = 100
extractor = dict(
    samples_per_gpu=256,
    workers_per_gpu=0,
    persistent_workers=False,
    dataset=dict(
        type="DeepClusterDataset",
        data_source=dict(type="BnftArraySource"),
        pipeline=[
            dict(type="Resize", size={{_base_.input_size}}),
            dict(type="ToTensor"),
            dict(type="Normalize", mean={{_base_.normalisation.mean}}, std={{_base_.normalisation.std}}),
        ],
    ),
)
model = dict(head=dict(type="ClsHead", with_avg_pool=False, num_classes=clusters))
# As both papers: hardly any weight decay, and a constant rate, because new labels come until the end; under a cosine the
# classifier could no longer follow them and the loss rose back to that of guessing.
optimizer = dict(weight_decay=1e-5)
lr_config = dict(_delete_=True, policy="fixed", warmup="linear", warmup_iters=60, warmup_ratio=0.01)
