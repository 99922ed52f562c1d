# Caltech-101 with its background class; split 0 is Ericsson's draw, split 1 the common 30 a class.
# Classes, metric and counts are in data/caltech101/task.json, which tools/prepare_data.py writes.
task = dict(type="list_task", root="data/caltech101")
image_size = 224

# As published by vpulab/bn_finetuning; mean and std (0..1) meet the channels in `channel_order`, position by position.
# Published with the class weights 1 - n_c / 6728 over TEST counts, which are not offered here.
vpulab = dict(
    mean=[0.5371, 0.5097, 0.4796],
    std=[0.3010, 0.2947, 0.3065],
    channel_order="bgr",
    train=[
        dict(type="Resize", size=256),
        dict(type="CenterCrop", size=224),
    ],
    test=[
        dict(type="Resize", size=256),
        dict(type="CenterCrop", size=224),
    ],
    bn=dict(batch_size=8, lr=0.01, epochs=70),
)
