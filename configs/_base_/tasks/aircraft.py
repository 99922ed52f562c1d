# FGVC-Aircraft, 100 variants, official train/val/test; mean per-class accuracy.
# Classes, metric and counts are in data/aircraft/task.json, which tools/prepare_data.py writes.
task = dict(type="list_task", root="data/aircraft")
image_size = 224

# As published by vpulab/bn_finetuning; mean and std (0..1) meet the channels in `channel_order`, position by position.
# Only BN tuning was run without augmentation.
vpulab = dict(
    mean=[0.4894, 0.5183, 0.5388],
    std=[0.2226, 0.2156, 0.2456],
    channel_order="bgr",
    train=[
        dict(type="RandomResizedCrop", size=224),
        dict(type="RandomHorizontalFlip"),
    ],
    train_bn=[
        dict(type="Resize", size=256),
        dict(type="CenterCrop", size=224),
    ],
    test=[
        dict(type="Resize", size=256),
        dict(type="CenterCrop", size=224),
    ],
    linear=dict(batch_size=128, lr=0.01, epochs=23, head_norm=True),
    bn=dict(batch_size=16, lr=0.01, epochs=70),
)
