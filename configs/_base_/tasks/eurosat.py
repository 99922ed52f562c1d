# EuroSAT RGB, 64-pixel images; top-1. Split 0 is 60/20/20, split 1 VISSL's first 1,000 and next 500 a class.
# Classes, metric and counts are in data/eurosat/task.json, which tools/prepare_data.py writes.
task = dict(type="list_task", root="data/eurosat")
image_size = 224

# As published by vpulab/bn_finetuning; mean and std (0..1) meet the channels in `channel_order`, position by position.
# The statistics are CIFAR-100's, which the publication took for ImageNet's; images stay at 64 pixels there.
vpulab = dict(
    mean=[0.5071, 0.4867, 0.4408],
    std=[0.2675, 0.2565, 0.2761],
    channel_order="bgr",
    train=[
        dict(type="RandomHorizontalFlip"),
        dict(type="RandomVerticalFlip"),
    ],
    test=[],
)
