_base_ = "_base_/one_view.py"
method = "NPID"
model = dict(
    type="NPID",
    neg_num=1024,
    neck=dict(type="LinearNeck", in_channels=128, out_channels=64),
    head=dict(type="ContrastiveHead", temperature=0.07),
    memory_bank=dict(type="SimpleMemory", feat_dim=64, momentum=0.5),
)
data = dict(train=dict(type="SingleViewDataset"))
runner = dict(max_epochs=118)
