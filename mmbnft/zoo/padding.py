"""TensorFlow's "SAME" padding in a ResNet: the rest of a strided window goes after the image, not around it."""

from functools import partial
from typing import Any

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from mmbnft.utils.errors import UserError

OPERATIONS = ("pool", "strided")


def same_pads(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """(before, after) along one side of `size` pixels, so that ceil(size / stride) windows fit.

    Args:
        size: Pixels of the input.
        kernel: Pixels of the kernel.
        stride: Pixels of a step.
    """
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _pad(module: nn.Module, inputs: tuple[Any, ...], *, kernel: int, stride: int, value: float) -> tuple[Tensor]:
    """Forward pre-hook: pad (N, C, H, W) before `module`, which itself no longer pads."""
    x: Tensor = inputs[0]
    rows, columns = same_pads(x.shape[-2], kernel, stride), same_pads(x.shape[-1], kernel, stride)
    return (F.pad(x, (*columns, *rows), value=value),)


def apply_same_padding(backbone: nn.Module, operations: str) -> int:
    """Make a ResNet pad the way its authors' TensorFlow or haiku graph does; parameters and keys stay as they are.

    Args:
        backbone: ResNet with `maxpool` and strided 3x3 (7x7) convolutions.
        operations: `pool`, the max-pooling only (SimCLR), or `strided`, every strided operation (BYOL).

    Returns:
        Number of operations changed.

    Raises:
        UserError: Unknown `operations`, or a network without max-pooling.
    """
    if operations not in OPERATIONS:
        raise UserError(f"same_padding must be one of {', '.join(OPERATIONS)}, got {operations!r}")
    pools = [module for module in backbone.modules() if isinstance(module, nn.MaxPool2d)]
    if not pools:
        raise UserError(f"SAME padding is defined for ResNets with a max-pooling, got {type(backbone).__name__}")
    strided: list[nn.Conv2d | nn.MaxPool2d] = list(pools)
    if operations == "strided":
        # A 1x1 window needs no padding, so shortcuts keep theirs (none).
        convolutions = [module for module in backbone.modules() if isinstance(module, nn.Conv2d)]
        strided += [conv for conv in convolutions if conv.stride[0] > 1 and conv.kernel_size[0] > 1]
    for module in strided:
        _replace_padding(module)
    return len(strided)


def _replace_padding(module: nn.Conv2d | nn.MaxPool2d) -> None:
    kernel, stride = _side(module.kernel_size), _side(module.stride)
    if isinstance(module, nn.MaxPool2d):
        module.padding, value = 0, float("-inf")
    else:
        module.padding, value = (0, 0), 0.0
    module.register_forward_pre_hook(partial(_pad, kernel=kernel, stride=stride, value=value))


def _side(value: Any) -> int:
    sides = set(value) if isinstance(value, tuple) else {value}
    if len(sides) != 1:
        raise UserError(f"SAME padding is defined for square windows, got {value}")
    return int(sides.pop())
