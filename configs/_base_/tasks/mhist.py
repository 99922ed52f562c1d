# MHIST, two kinds of colorectal polyps; mean per-class accuracy.
# Classes, metric and counts are in data/mhist/task.json, which tools/prepare_data.py writes.
task = dict(type="list_task", root="data/mhist")
image_size = 224

# As published by vpulab/bn_finetuning; mean and std (0..1) meet the channels in `channel_order`, position by position.
vpulab = dict(
    mean=[0.7314, 0.6416, 0.7711],
    std=[0.1789, 0.2258, 0.1511],
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
