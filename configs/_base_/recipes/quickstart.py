# A recipe of seconds for tiny checkpoints; the rate of each arm is chosen on val from the same two values. Rates, batch and
# epochs are those at which two runs of `finetune` with different seeds agree on the checkpoints: docs/benchmark.md.
recipe = dict(
    name="quickstart",
    epochs=8,
    batch_size=16,
    optimizer=dict(type="SGD", lr=0.02, momentum=0.9, weight_decay=1e-4),
    lr_config=dict(policy="CosineAnnealing", min_lr=0.0, by_epoch=False, warmup="linear", warmup_iters=6),
    search=dict(lr=[0.01, 0.04]),
    grad_clip=dict(max_norm=5.0),
)
