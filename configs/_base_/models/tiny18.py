# The narrow ResNet-18 of pretrained_models/tiny, with a head whose sizes come from the backbone and the task.
_base_ = "../../pretrain/_base_/backbone.py"
model = dict(type="Classification", head=dict(type="BnftLinearHead"))
