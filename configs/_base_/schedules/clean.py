# For photographs at 224 px: one recipe for every arm, its rate chosen on val. Normalisation is the checkpoint's.
recipe = dict(
    name="clean",
    epochs=30,
    batch_size=64,
    optimizer=dict(type="SGD", lr=0.01, momentum=0.9, weight_decay=1e-4),
    lr_config=dict(policy="CosineAnnealing", min_lr=0.0, by_epoch=False),
    train_pipeline=[dict(type="RandomResizedCrop", size=224), dict(type="RandomHorizontalFlip")],
    test_pipeline=[dict(type="Resize", size=256), dict(type="CenterCrop", size=224)],
    search=dict(lr=[0.001, 0.01, 0.1]),
    workers=2,
)
