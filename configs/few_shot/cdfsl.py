# Guo et al. (ECCV 2020, CD-FSL): a linear classifier trained on each episode, backbone frozen or trained with it.
_base_ = ["ericsson.py"]
recipe = dict(
    _delete_=True,
    name="cdfsl",
    epochs=100,
    batch_size=4,
    optimizer=dict(type="SGD", lr=0.01, momentum=0.9, dampening=0.9, weight_decay=0.001),
    test_pipeline=[dict(type="Resize", size=(257, 257)), dict(type="CenterCrop", size=224)],
)
few_shot = dict(name="cdfsl", methods=["linear", "finetune"], episodes=dict(seed=10))
