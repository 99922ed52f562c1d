# Stanford Cars, 196 models; top-1.
# Classes, metric and counts are in data/cars/task.json, which tools/prepare_data.py writes.
task = dict(type="list_task", root="data/cars")
image_size = 224

# As published by vpulab/bn_finetuning; mean and std (0..1) meet the channels in `channel_order`, position by position.
vpulab = dict(
    mean=[0.4460, 0.4311, 0.4319],
    std=[0.2903, 0.2884, 0.2956],
    channel_order="bgr",
    train=[
        dict(type="Resize", size=256),
        dict(type="CenterCrop", size=224),
    ],
    test=[
        dict(type="Resize", size=256),
        dict(type="CenterCrop", size=224),
    ],
    linear=dict(batch_size=8, lr=0.01, epochs=23),
)
