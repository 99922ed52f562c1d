_base_ = "_base_/one_view.py"
method = "Relative location"
model = dict(
    type="RelativeLoc",
    neck=dict(type="RelativeLocNeck", in_channels=128, out_channels=256),
    head=dict(type="ClsHead", with_avg_pool=False, in_channels=256, num_classes=8),
)
# The host cuts three by three patches and takes 21 pixels of jitter off each side: 207 pixels leave patches of 48.
data = dict(
    samples_per_gpu=16,
    train=dict(
        type="RelativeLocDataset",
        pipeline=[
            dict(type="Resize", size=220),
            dict(type="RandomCrop", size=207),
            dict(type="RandomGrayscale", p=0.66),
        ],
        format_pipeline=[
            dict(type="ToTensor"),
            dict(type="Normalize", mean={{_base_.normalisation.mean}}, std={{_base_.normalisation.std}}),
        ],
    ),
)
# A batch holds 128 pairs. Rate and decay with the best neighbours on two labelled sets that are no task, of three trials.
optimizer = dict(lr=0.03, weight_decay=1e-4)
runner = dict(max_epochs=10)
