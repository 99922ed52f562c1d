# Plant disease (PlantVillage), 38 classes; mean per-class accuracy.
# Classes, metric and counts are in data/plant_disease/task.json, which tools/prepare_data.py writes.
task = dict(type="list_task", root="data/plant_disease")
image_size = 224

# As published by vpulab/bn_finetuning; mean and std (0..1) meet the channels in `channel_order`, position by position.
# Published with class weights in a class order of its own, which are not offered here.
vpulab = dict(
    mean=[0.4394, 0.4767, 0.3735],
    std=[0.1970, 0.1746, 0.2135],
    channel_order="bgr",
    train=[
        dict(type="RandomResizedCrop", size=224),
        dict(type="RandomHorizontalFlip"),
    ],
    test=[
        dict(type="Resize", size=256),
        dict(type="CenterCrop", size=224),
    ],
    linear=dict(batch_size=256, lr=0.01, epochs=28, head_norm=True),
)
