import copy

import numpy as np
import pytest
import torch
from protocol_networks import build, images
from torch import nn

from mmbnft.protocols import Phase, apply_phase, recalibrate_statistics
from mmbnft.utils.errors import UserError


def _state(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def test_one_layer_against_numpy():
    layer = nn.BatchNorm2d(2).double()
    layer.running_mean.fill_(100.0)
    batches = [torch.randn(4, 2, 3, 3, dtype=torch.float64) + 5 * index for index in range(3)]
    assert recalibrate_statistics(layer, batches) == 12
    values = np.stack([b.permute(1, 0, 2, 3).reshape(2, -1).numpy() for b in batches])  # (batch, channel, value)
    np.testing.assert_allclose(layer.running_mean, values.mean(axis=(0, 2)), rtol=1e-12)
    np.testing.assert_allclose(layer.running_var, values.var(axis=2, ddof=1).mean(axis=0), rtol=1e-12)
    assert layer.num_batches_tracked == 3


def test_batches_of_different_size_are_weighted_by_images():
    layer = nn.BatchNorm1d(1).double()
    first, second = torch.tensor([[0.0], [2.0], [4.0]]), torch.tensor([[10.0], [14.0]])
    assert recalibrate_statistics(layer, [first.double(), second.double()]) == 5
    assert layer.running_mean.item() == pytest.approx((0 + 2 + 4 + 10 + 14) / 5)
    assert layer.running_var.item() == pytest.approx((3 * 4.0 + 2 * 8.0) / 5)


@pytest.mark.parametrize("name", ["resnet18", "densenet", "preactivation", "efficientnet"])
def test_whole_networks_agree_with_torch(name):
    network, reference = build(name), build(name)
    batches = [images(seed=seed) for seed in range(3)]
    recalibrate_statistics(network, batches)
    torch.optim.swa_utils.update_bn(batches, reference)  # averages batches of equal size as well
    for key, value in reference.state_dict().items():
        torch.testing.assert_close(network.state_dict()[key], value, rtol=1e-9, atol=1e-12)


def test_one_batch_gives_exactly_its_own_moments():
    network, batch = build("resnet18"), images()
    recalibrate_statistics(network, [batch])
    inputs = network.conv1(batch).detach()
    torch.testing.assert_close(network.bn1.running_mean, inputs.mean((0, 2, 3)))
    torch.testing.assert_close(network.bn1.running_var, inputs.var((0, 2, 3), unbiased=True))


def test_instance_norm_statistics_are_averaged_too():
    layer = nn.InstanceNorm1d(1, track_running_stats=True).double()
    batch = torch.tensor([[[0.0, 2.0]], [[10.0, 14.0]]]).double()
    recalibrate_statistics(layer, [batch[:1], batch[1:]])
    assert layer.running_mean.item() == pytest.approx((1 + 12) / 2)
    assert layer.running_var.item() == pytest.approx((2 + 8) / 2)


def test_nothing_else_changes():
    network = build("densenet")
    network.eval()
    network.stem.train()
    network.stem[1].momentum = 0.3
    before, modes = _state(network), [m.training for m in network.modules()]
    flags, momenta = [p.requires_grad for p in network.parameters()], network.stem[1].momentum
    recalibrate_statistics(network, [images()])
    changed = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {name for name in before if name.endswith(("running_mean", "running_var", "tracked"))}
    assert [m.training for m in network.modules()] == modes
    assert [p.requires_grad for p in network.parameters()] == flags
    assert network.stem[1].momentum == momenta
    assert all(p.grad is None for p in network.parameters())


def test_dropout_is_off_and_old_statistics_have_no_weight():
    def estimate(start):
        network = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm2d(3)).double()
        network[1].running_mean.fill_(start)
        recalibrate_statistics(network, [images()])
        return network[1].running_mean

    assert torch.equal(estimate(0.0), estimate(float("nan")))
    torch.testing.assert_close(estimate(0.0), images().mean((0, 2, 3)))


def test_only_the_selected_layers_move():
    network = build("resnet18")
    applied = apply_phase(network, Phase("head", norm_layers="paper", norm_stats="recalibrate"))
    before = _state(network)
    assert applied.recalibrate([images()]) == 6
    changed = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == set(applied.statistics_names)
    assert "layer1.0.bn1.running_mean" not in changed
    assert not any(m.training for m in network.modules())


def test_a_forward_function_is_used():
    network = build("resnet18")
    doubled = copy.deepcopy(network)
    recalibrate_statistics(network, [2 * images()])
    recalibrate_statistics(doubled, [images()], forward=lambda batch: doubled(2 * batch))
    assert torch.equal(network.bn1.running_mean, doubled.bn1.running_mean)


def _broken(batch):
    raise RuntimeError("broken image")


@pytest.mark.parametrize(
    ("batches", "forward", "error", "message"),
    [
        ([], None, UserError, "no batch was given"),
        ([images(), images()[:0]], None, UserError, "batch 1 given for recalibration holds no image"),
        ([images(), images(1)], None, UserError, r"batch 1 with 1 image\(s\) is too small to estimate statistics"),
        ([images() * float("inf")], None, UserError, "running_mean of layer bn1 that is not finite"),
        ([images()], _broken, RuntimeError, "broken image"),
    ],
)
def test_failure_leaves_the_statistics_as_they_were(batches, forward, error, message):
    network = build("resnet18")
    before, modes = _state(network), [m.training for m in network.modules()]
    with pytest.raises(error, match=message):
        recalibrate_statistics(network, batches, forward)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert [m.training for m in network.modules()] == modes
    assert network.bn1.momentum == 0.1


def test_a_network_without_statistics_is_refused():
    with pytest.raises(UserError, match="VisionTransformer has no running statistics to recalibrate"):
        recalibrate_statistics(build("vit"), [images()])
