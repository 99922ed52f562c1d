import copy

import pytest
import torch
from mmselfsup.models.builder import build_backbone
from torch import nn

from mmbnft.models import ProtocolBackbone
from mmbnft.models.lean import LeanActivations

BOTTLENECKS = dict(
    type="ResNet", depth=50, base_channels=4, stem_channels=4, out_indices=[0, 4], norm_cfg=dict(type="BN")
)


def backbone(protocol, **changes):
    torch.manual_seed(0)
    network = build_backbone(dict(BOTTLENECKS, **changes)).double()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight)  # negative and tiny ones too
            nn.init.normal_(module.bias, std=0.3)
    network.layer1[0].norm3.weight.data.zero_()  # as in networks with zero-initialised residual branches
    return ProtocolBackbone(network, protocol).train()


def step(network, images):
    outputs = network(images)
    sum((output**2).mean() for output in outputs).backward()
    return [output.detach() for output in outputs]


@pytest.mark.parametrize("protocol", ["bn", "bn_paper", "bn_frozen_stats", "finetune"])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_step_is_that_of_the_plain_path(protocol, layout):
    plain = backbone(protocol).to(memory_format=layout)
    lean = copy.deepcopy(plain)
    lean.saves_memory = True
    images = torch.rand(3, 3, 64, 64, dtype=torch.float64).contiguous(memory_format=layout)
    for ours, theirs in zip(step(lean, images), step(plain, images), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)
    for (name, ours), theirs in zip(lean.named_parameters(), plain.parameters(), strict=True):
        assert (ours.grad is None) == (theirs.grad is None), name
        if ours.grad is not None:
            scale = theirs.grad.abs().max()
            assert (ours.grad - theirs.grad).abs().max() <= 1e-10 * scale + 1e-300, name
    for ours, theirs in zip(lean.buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


def saved_bytes(network, images):
    """Bytes that autograd keeps for the gradient, weights aside, and what lean functions keep on their own."""
    own = {tensor.untyped_storage().data_ptr() for tensor in (*network.parameters(), *network.buffers())}
    storages = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        outputs = network(images)
    return sum(storages.values()) + packed_bytes(outputs[-1].grad_fn)


def packed_bytes(node):
    found, waiting = {}, [node]
    seen = set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        mask = getattr(node, "mask", None)
        found[node] = 0 if mask is None else mask.nbytes
        waiting.extend(parent for parent, _ in node.next_functions)
    return sum(found.values())


def test_saved_activations_of_bn_tuning_nearly_halve():
    images = torch.rand(4, 3, 96, 96, dtype=torch.float32)
    plain, lean = backbone("bn").float(), backbone("bn").float()
    lean.saves_memory = True
    assert saved_bytes(lean, images) <= 0.55 * saved_bytes(plain, images)


def test_a_relu_out_of_place_leaves_its_input_alone():
    inputs = torch.randn(2, 3, 4, 4, requires_grad=True)
    before = inputs.detach().clone()
    with LeanActivations():
        outputs = nn.ReLU()(inputs)
    outputs.sum().backward()
    assert torch.equal(inputs, before)
    assert torch.equal(inputs.grad, (before > 0).float())


@pytest.mark.parametrize(
    ("conv", "is_lean"),
    [
        (nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2), True),
        (nn.Conv2d(4, 6, (1, 3), padding=(0, 2), dilation=(1, 2), bias=False), True),
        (nn.Conv2d(4, 6, 3, padding=1, padding_mode="reflect"), True),
        (nn.Conv2d(4, 6, 3, padding="same"), False),
    ],
)
def test_gradients_of_frozen_convolutions_of_every_kind(conv, is_lean):
    conv = conv.double().requires_grad_(False)
    images = torch.randn(2, 4, 9, 9, dtype=torch.float64, requires_grad=True)

    def lean(inputs):
        with LeanActivations():
            return conv(inputs)

    assert ("FrozenConv" in lean(images).grad_fn.name()) is is_lean
    assert torch.autograd.gradcheck(lean, images)


@pytest.mark.parametrize("pool", [nn.MaxPool2d(3, 2, 1), nn.MaxPool2d(2), nn.MaxPool2d(3, 2, ceil_mode=True)])
def test_gradients_of_pooling(pool):
    images = torch.randn(2, 3, 9, 9, dtype=torch.float64, requires_grad=True)

    def lean(inputs):
        with LeanActivations():
            return pool(inputs)

    assert "LeanMaxPool" in lean(images).grad_fn.name()
    assert torch.autograd.gradcheck(lean, images)


def test_pooling_that_hands_out_positions_still_does():
    images = torch.randn(1, 2, 4, 4, requires_grad=True)
    with LeanActivations():
        assert len(nn.MaxPool2d(2, return_indices=True)(images)) == 2
        assert nn.functional.max_pool2d(images, 2).shape == (1, 2, 2, 2)


def test_nothing_is_kept_without_gradients():
    network = backbone("bn").eval()
    network.saves_memory = True
    images = torch.rand(2, 3, 64, 64, dtype=torch.float64)
    with torch.inference_mode():
        lean = network(images)
    network.saves_memory = False
    with torch.inference_mode():
        assert all(torch.equal(a, b) for a, b in zip(lean, network(images), strict=True))
