"""Batch norm per group against torch's own layer, one group at a time."""

import pytest
import torch
from torch import nn

from mmbnft.fewshot.grouped_layers import GroupedNorm

GROUPS, IMAGES = 3, 4


def _layer(channels):
    layer = nn.BatchNorm2d(channels, eps=1e-3, momentum=0.3).double()
    for tensor in (layer.weight, layer.bias, layer.running_mean):
        nn.init.normal_(tensor)
    nn.init.uniform_(layer.running_var, 0.5, 2.0)
    return layer


def _reference(layer, inputs, added, rectifies, follows):
    layer.train(follows)
    outputs = layer(inputs) if added is None else layer(inputs) + added
    return outputs.relu() if rectifies else outputs


@pytest.mark.parametrize("channels", [1, 16, 32, 64, 83, 200])
@pytest.mark.parametrize("rectifies", [False, True])
@pytest.mark.parametrize("adds", [False, True])
@pytest.mark.parametrize("follows", [False, True])
def test_every_group_is_a_layer_of_its_own(channels, rectifies, adds, follows):
    torch.manual_seed(channels)
    layer = _layer(channels)
    inputs, added, gradient = (torch.randn(GROUPS * IMAGES, channels, 3, 2).double() for _ in range(3))
    norm = GroupedNorm(layer, trains=True, follows=follows)
    norm.rectifies = rectifies
    norm.reset(GROUPS)
    leaves = [inputs.clone(), norm.weight, norm.bias, *([added.clone()] if adds else [])]
    for leaf in leaves:
        leaf.requires_grad_()
    outputs = norm(leaves[0], *leaves[3:])
    found = torch.autograd.grad(outputs, leaves, gradient)
    for group in range(GROUPS):
        rows = slice(group * IMAGES, (group + 1) * IMAGES)
        own = _layer(channels)
        own.load_state_dict(layer.state_dict())
        mine = [inputs[rows].clone(), *([added[rows].clone()] if adds else [])]
        for leaf in mine:
            leaf.requires_grad_()
        expected = _reference(own, mine[0], mine[1] if adds else None, rectifies, follows)
        wanted = torch.autograd.grad(expected, [mine[0], own.weight, own.bias, *mine[1:]], gradient[rows])
        torch.testing.assert_close(outputs[rows], expected, rtol=1e-11, atol=1e-12)
        for index, (one, other) in enumerate(zip(found, wanted, strict=True)):
            part = one[group] if index in (1, 2) else one[rows]
            torch.testing.assert_close(part, other, rtol=1e-10, atol=1e-11)
        torch.testing.assert_close(norm.running_mean[group], own.running_mean, rtol=1e-12, atol=1e-13)
        torch.testing.assert_close(norm.running_var[group], own.running_var, rtol=1e-12, atol=1e-13)


def test_single_precision_keeps_the_variance_of_a_small_spread_around_a_large_mean():
    values = 1000 + torch.randn(2 * 400, 16, 4, 4)
    exact = values.double().unflatten(0, (2, -1)).var((1, 3, 4))
    norm = GroupedNorm(nn.BatchNorm2d(16, momentum=1.0), trains=True, follows=True)
    norm.reset(2)
    norm(values)
    torch.testing.assert_close(norm.running_var.double(), exact, rtol=1e-4, atol=0)


def test_not_a_number_passes_through_a_fused_relu():
    norm = GroupedNorm(nn.BatchNorm2d(1, eps=0.0), trains=True, follows=False)
    norm.rectifies = True
    norm.reset(3)
    outputs = norm(torch.tensor([float("nan"), -1.0, 2.0]).reshape(3, 1, 1, 1))
    assert outputs[0].isnan().all()
    assert outputs[1:].flatten().tolist() == [0.0, 2.0]
