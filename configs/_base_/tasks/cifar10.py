# CIFAR-10, exported as 32-pixel PNG files; top-1.
# Classes, metric and counts are in data/cifar10/task.json, which tools/prepare_data.py writes.
task = dict(type="list_task", root="data/cifar10")
image_size = 224

# As published by vpulab/bn_finetuning; mean and std (0..1) meet the channels in `channel_order`, position by position.
vpulab = dict(
    mean=[0.4914, 0.4822, 0.4465],
    std=[0.2023, 0.1994, 0.2010],
    channel_order="rgb",
    train=[
        dict(type="Resize", size=256, interpolation=3),
        dict(type="RandomCrop", size=224),
        dict(type="RandomHorizontalFlip"),
    ],
    test=[
        dict(type="Resize", size=256, interpolation=3),
        dict(type="CenterCrop", size=224),
    ],
    linear=dict(batch_size=12, lr=0.1, epochs=28),
)
