import pytest
import torch
from torch import nn

from mmbnft.fewshot.fixed_convolution import FixedConvolution


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 3), (4, 4), (5, 3), (9, 8)])
@pytest.mark.parametrize(
    "config",
    [
        dict(kernel_size=3, padding=1),
        dict(kernel_size=3, padding=1, stride=2),
        dict(kernel_size=1),
        dict(kernel_size=1, stride=2),
        dict(kernel_size=1, stride=(2, 1), bias=True),
        dict(kernel_size=1, stride=2, groups=2),
        dict(kernel_size=1, stride=2, padding=1),
        dict(kernel_size=3, padding=1, groups=2, bias=True),
        dict(kernel_size=3, padding=2, dilation=2, stride=2),
        dict(kernel_size=3, padding="same"),
    ],
    ids=str,
)
def test_it_is_the_convolution(config, size):
    torch.manual_seed(0)
    conv = nn.Conv2d(4, 6, **(dict(bias=False) | config)).double().to(memory_format=torch.channels_last)
    images = torch.randn(3, 4, *size, dtype=torch.float64).contiguous(memory_format=torch.channels_last)
    expected = conv(images.requires_grad_())
    gradient = torch.randn_like(expected)
    (slope,) = torch.autograd.grad(expected, images, gradient)
    fixed = FixedConvolution(conv)
    for training in (True, False):
        outputs = fixed.train(training)(images)
        torch.testing.assert_close(outputs, expected, rtol=1e-12, atol=1e-13)
        (found,) = torch.autograd.grad(outputs, images, gradient)
        torch.testing.assert_close(found, slope, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("size", "layout"), [(4, torch.contiguous_format), (6, torch.channels_last)])
def test_small_maps_of_many_channels_change_the_layout_and_not_the_values(size, layout):
    conv = nn.Conv2d(128, 6, 3, padding=1).double().to(memory_format=torch.channels_last)
    images = torch.randn(2, 128, size, size).double().contiguous(memory_format=torch.channels_last)
    outputs = FixedConvolution(conv)(images)
    assert outputs.is_contiguous(memory_format=layout)
    torch.testing.assert_close(outputs, conv(images), rtol=1e-11, atol=1e-12)


def test_only_where_it_pays_is_it_a_matrix_product(monkeypatch):
    conv = nn.Conv2d(4, 6, 3, padding=1)
    calls = []
    conv.register_forward_hook(lambda *_: calls.append(1))
    fixed = FixedConvolution(conv)
    fixed.train()(torch.rand(1, 4, 2, 2))
    assert not calls
    fixed(torch.rand(1, 4, 3, 3))
    assert len(calls) == 1
    fixed.eval()(torch.rand(1, 4, 2, 2))
    assert len(calls) == 2
