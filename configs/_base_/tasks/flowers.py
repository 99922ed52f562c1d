# Oxford Flowers-102, official train/val/test; mean per-class accuracy.
# Classes, metric and counts are in data/flowers/task.json, which tools/prepare_data.py writes.
task = dict(type="list_task", root="data/flowers")
image_size = 224

# As published by vpulab/bn_finetuning; mean and std (0..1) meet the channels in `channel_order`, position by position.
vpulab = dict(
    mean=[0.5179, 0.4110, 0.3297],
    std=[0.2971, 0.2496, 0.2855],
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
