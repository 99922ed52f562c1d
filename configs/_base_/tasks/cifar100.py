# CIFAR-100, fine labels, exported as 32-pixel PNG files; top-1.
# Classes, metric and counts are in data/cifar100/task.json, which tools/prepare_data.py writes.
task = dict(type="list_task", root="data/cifar100")
image_size = 224

# As published by vpulab/bn_finetuning; mean and std (0..1) meet the channels in `channel_order`, position by position.
# Images stay at 32 pixels there.
vpulab = dict(
    mean=[0.4914, 0.4822, 0.4465],
    std=[0.2023, 0.1994, 0.2010],
    channel_order="rgb",
    train=[
        dict(type="RandomCrop", size=32, padding=4),
        dict(type="RandomHorizontalFlip"),
    ],
    test=[],
    bn=dict(batch_size=128, lr=0.1, epochs=350),
)
