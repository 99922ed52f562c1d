import pytest
import torch
from kept_runs import BACKBONE, MODEL

from mmbnft.evaluation.training.movement import Movement
from mmbnft.host import build_algorithm


def measured(protocol):
    backbone = dict(type="ProtocolBackbone", backbone=BACKBONE, protocol=protocol)
    head = dict(type="BnftLinearHead", in_channels=32, num_classes=3)
    model = build_algorithm({**MODEL, "head": head, "backbone": backbone})
    model.head.init_weights()
    return model, Movement(model)


def test_each_part_that_trains_is_measured_by_itself():
    model, movement = measured("finetune")
    assert set(movement.changes().values()) == {0.0}
    with torch.no_grad():
        model.backbone.layer2[0].bn1.weight.mul_(2)
        model.backbone.layer3[0].conv1.weight.mul_(1.5)
        model.head.fc_cls.weight.mul_(3)
    changes = movement.changes()
    weights = [w for name, w in model.backbone.layer3.named_parameters() if w.dim() == 4]
    own = float(model.backbone.layer3[0].conv1.weight.norm()) / 3
    whole = torch.stack([w.square().sum() for w in weights]).sum() - (9 - 4) * own**2
    assert changes["stage 3"] == pytest.approx(own / float(whole) ** 0.5, rel=1e-4)
    assert changes["head"] == pytest.approx(2, rel=1e-4)
    assert changes["stage 2 norm"] == pytest.approx((8 / 40) ** 0.5)  # weights start at 1, biases at 0
    assert changes["stage 1 norm"] == changes["stem"] == 0


def test_parameters_are_counted_by_the_size_of_their_change():
    model, movement = measured("bn")
    with torch.no_grad():
        model.backbone.bn1.weight[0] += 2e-3  # weights are 1, so are their root mean squares
        model.backbone.bn1.weight[1] -= 0.5
        model.backbone.bn1.bias += 1  # was 0, and has no size to be compared with
    sizes = movement.sizes()
    channels = model.backbone.bn1.weight.numel()
    assert sizes["stem norm"] == [channels - 2, 0, 0, 1, 0, 1, 0]
    assert sum(sizes["head"]) == model.head.fc_cls.weight.numel() == sizes["head"][0]


def test_what_is_frozen_has_no_part():
    _, movement = measured("bn")
    assert set(movement.changes()) == {"stem norm", *(f"stage {k} norm" for k in range(1, 5)), "head"}
