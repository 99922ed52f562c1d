optimizer = dict(type="SGD", lr=0.06, momentum=0.9, weight_decay=5e-4)
optimizer_config = dict(grad_clip=None)
lr_config = dict(
    policy="CosineAnnealing", by_epoch=False, min_lr=0.0, warmup="linear", warmup_iters=60, warmup_ratio=0.01
)
runner = dict(type="EpochBasedRunner", max_epochs=20)
