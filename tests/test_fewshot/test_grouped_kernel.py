"""Batch norm per group against torch's own layer, one group at a time."""

import pytest
import torch
from torch import nn

from mmbnft.fewshot import group_kernel
from mmbnft.fewshot.group_kernel import TorchBackend, compiled_backend
from mmbnft.fewshot.grouped_layers import GroupedNorm

GROUPS, IMAGES = 3, 4


def _backends():
    if compiled_backend() is None:
        return [TorchBackend()]
    return [TorchBackend(), compiled_backend()]


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
def test_every_group_is_a_layer_of_its_own(channels, rectifies, adds, follows, monkeypatch):
    torch.manual_seed(channels)
    layer = _layer(channels)
    inputs, added, gradient = (torch.randn(GROUPS * IMAGES, channels, 3, 2).double() for _ in range(3))
    for backend in _backends():
        monkeypatch.setattr(group_kernel, "compiled_backend", lambda backend=backend: backend)
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
    exact = values.double().unflatten(0, (2, -1)).var((1, 3, 4), correction=0)
    for backend in _backends():
        affine = torch.ones(2, 16), torch.zeros(2, 16)
        layout = values.contiguous(memory_format=torch.channels_last)
        variance = backend.forward(layout, affine, None, False, None, 1e-5)[2]
        torch.testing.assert_close(variance.double(), exact, rtol=1e-4, atol=0)


def test_not_a_number_passes_through_a_fused_relu():
    for backend in _backends():
        inputs = torch.tensor([float("nan"), -1.0, 2.0]).reshape(3, 1, 1, 1)
        moments = torch.zeros(3, 1), torch.ones(3, 1)
        outputs = backend.forward(inputs, (torch.ones(3, 1), torch.zeros(3, 1)), None, True, moments, 0.0)[0]
        assert outputs[0].isnan().all()
        assert outputs[1:].flatten().tolist() == [0.0, 2.0]


def test_without_a_compiler_torchs_operators_serve(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    compiled_backend.cache_clear()
    try:
        assert compiled_backend() is None
        assert isinstance(group_kernel.choose_backend(torch.zeros(1)), TorchBackend)
    finally:
        compiled_backend.cache_clear()


def test_a_compiler_that_fails_is_no_error(monkeypatch, tmp_path):
    compiler = tmp_path / "c++"
    compiler.write_text("#!/bin/sh\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CXX", str(compiler))
    compiled_backend.cache_clear()
    try:
        assert compiled_backend() is None
        assert not list((tmp_path / "mmbnft").glob("*.so"))
    finally:
        compiled_backend.cache_clear()
