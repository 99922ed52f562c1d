# A recipe of seconds for tiny checkpoints. Rates, batch and epochs are those at which two runs of `finetune` with different
# seeds agree on the checkpoints (docs/benchmark.md). Every protocol has two rates to choose from on val, higher ones where
# fewer parameters train; the linear probe is solved, so that no rate is too low for it.
_norms = dict(search=dict(lr=[0.08, 0.32]))
recipe = dict(
    name="quickstart",
    epochs=8,
    batch_size=16,
    optimizer=dict(type="SGD", lr=0.02, momentum=0.9, weight_decay=1e-4),
    lr_config=dict(policy="CosineAnnealing", min_lr=0.0, by_epoch=False, warmup="linear", warmup_iters=6),
    search=dict(lr=[0.01, 0.04]),
    protocols=dict(
        bn=_norms,
        bn_paper=_norms,
        bn_frozen_stats=_norms,
        linear_then_bn=_norms,
        bn_stats=dict(search=dict(lr=[0.32, 1.28])),
        linear_then_finetune=dict(search=dict(lr=[0.1, 0.4])),
    ),
    probe=dict(solver="convex", weight_decays=[10.0 ** (power / 2) for power in range(-10, 7)]),
    grad_clip=dict(max_norm=5.0),
)
del _norms
