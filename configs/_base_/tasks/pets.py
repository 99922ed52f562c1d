# Oxford-IIIT Pets, 37 breeds; mean per-class accuracy.
# Classes, metric and counts are in data/pets/task.json, which tools/prepare_data.py writes.
task = dict(type="list_task", root="data/pets")
image_size = 224

# As published by vpulab/bn_finetuning; mean and std (0..1) meet the channels in `channel_order`, position by position.
vpulab = dict(
    mean=[0.4864, 0.4483, 0.3963],
    std=[0.2612, 0.2557, 0.2623],
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
