# For MMSelfSup's own tools/train.py, unmodified; mmbnft enters by `custom_imports` alone:
#   python -m mmbnft MMSELFSUP/tools/train.py configs/digits/mmselfsup_bn.py --work-dir DIR
custom_imports = dict(imports=["mmbnft.plugin"])
digits = dict(type="digits", image_size=32, train_size=184, val_size=100, test_size=200)
pipeline = [dict(type="ToTensor"), dict(type="Normalize", mean=[0.5, 0.5, 0.5], std=[0.25, 0.25, 0.25])]
backbone = dict(type="ResNet", depth=18, base_channels=16, stem_channels=16, norm_cfg=dict(type="BN"))
model = dict(
    type="Classification",
    backbone=dict(type="ProtocolBackbone", protocol="bn", backbone=backbone),
    head=dict(type="BnftLinearHead", in_channels=128, num_classes=10),
)
data = dict(
    samples_per_gpu=8,
    workers_per_gpu=0,
    train=dict(type="TaskDataset", task=digits, split="train", pipeline=pipeline),
    val=dict(type="TaskDataset", task=digits, split="val", pipeline=pipeline),
)
custom_hooks = [
    dict(type="ProtocolHook"),
    dict(type="ProtocolAuditHook"),
    dict(type="FiniteLossHook", priority="VERY_HIGH"),
    dict(
        type="ResultHook",
        out="work_dirs/mmselfsup_bn/results",
        test=dict(type="TaskDataset", task=digits, split="test", pipeline=pipeline),
        checkpoint="random",
    ),
    dict(type="BnftWandbHook", priority="VERY_LOW"),
]
optimizer = dict(type="SGD", lr=0.01, momentum=0.9)
optimizer_config = dict()
lr_config = dict(policy="CosineAnnealing", min_lr=0.0)
runner = dict(type="EpochBasedRunner", max_epochs=1)
evaluation = dict(interval=1)
# What the host's default_runtime.py sets, for a machine with or without a GPU.
checkpoint_config = dict(interval=1)
log_config = dict(interval=10, hooks=[dict(type="TextLoggerHook")])
dist_params = dict(backend="nccl")
log_level = "INFO"
load_from = resume_from = None
workflow = [("train", 1)]
persistent_workers = False
img_norm_cfg = dict()
mp_start_method = "fork"
