# For small images held in memory: one recipe for every arm, its rate chosen on val.
recipe = dict(
    name="small",
    epochs=10,
    batch_size=32,
    optimizer=dict(type="SGD", lr=0.1, momentum=0.9, weight_decay=1e-4),
    lr_config=dict(policy="CosineAnnealing", min_lr=0.0, by_epoch=False),
    search=dict(lr=[0.01, 0.1]),
)
