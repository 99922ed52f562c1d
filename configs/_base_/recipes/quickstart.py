# A recipe of seconds for tiny checkpoints; the rate of each arm is chosen on val from the same two values.
recipe = dict(
    name="quickstart",
    epochs=6,
    batch_size=32,
    optimizer=dict(type="SGD", lr=0.05, momentum=0.9, weight_decay=1e-4),
    lr_config=dict(policy="CosineAnnealing", min_lr=0.0, by_epoch=False, warmup="linear", warmup_iters=6),
    search=dict(lr=[0.02, 0.1]),
    grad_clip=dict(max_norm=5.0),
)
