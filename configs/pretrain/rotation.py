_base_ = "_base_/one_view.py"
method = "Rotation prediction"
model = dict(type="RotationPred", head=dict(type="ClsHead", with_avg_pool=True, in_channels=128, num_classes=4))
# Four rotations of every picture go through the network, so a batch holds a quarter of the pictures.
data = dict(
    samples_per_gpu=32,
    train=dict(
        type="RotationPredDataset",
        pipeline=[
            dict(type="BnftRandomCrop", size={{_base_.input_size}}),
            dict(type="BnftToTensor", normalisation={{_base_.normalisation}}),
        ],
    ),
)
# The decay with the best neighbours on two labelled sets that are no task, of three short trials.
optimizer = dict(weight_decay=1e-4)
runner = dict(max_epochs=45)
