# Describable Textures, 47 classes, ten official splits (0 to 9); top-1.
# Classes, metric and counts are in data/dtd/task.json, which tools/prepare_data.py writes.
task = dict(type="list_task", root="data/dtd")
image_size = 224

# As published by vpulab/bn_finetuning; mean and std (0..1) meet the channels in `channel_order`, position by position.
vpulab = dict(
    mean=[0.5327, 0.4751, 0.4259],
    std=[0.2640, 0.2535, 0.2616],
    channel_order="bgr",
    train=[
        dict(type="RandomResizedCrop", size=224),
        dict(type="RandomHorizontalFlip"),
    ],
    test=[
        dict(type="Resize", size=256),
        dict(type="CenterCrop", size=224),
    ],
    bn=dict(batch_size=16, lr=0.01, epochs=70),
)
