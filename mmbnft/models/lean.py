"""Training with fewer saved activations where convolutions are frozen.

A training step keeps, for every convolution, norm layer and ReLU, what its gradient needs. With frozen convolutions
most of that serves nothing: the gradient of a convolution's input needs the weights alone, and that of a ReLU one bit
per value. What then remains is the input of every norm layer. In-place activated batch norm (Rota Bulo et al., CVPR
2018) keeps as little by inverting the layer; here nothing is inverted, so a weight of zero is no special case.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

_POOL_SETTINGS = ("stride", "padding", "dilation", "ceil_mode")  # as nn.MaxPool2d hands them over


class LeanActivations(TorchFunctionMode):
    """Within this context ReLU, max pooling and frozen convolutions keep as little as their gradients need.

    Values and gradients stay those of the plain path; the saved activations of BN tuning on a ResNet about halve, for
    some percent more time on a CPU (`benchmarks/step_time.py` measures both).

    Example:
        `with LeanActivations(): features = backbone(images)`
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call `func`, or what stands in for it."""
        kwargs = dict(kwargs or {})
        if args and isinstance(args[0], Tensor) and args[0].requires_grad and torch.is_grad_enabled():
            if func is torch.nn.functional.relu:
                return _LeanReLU.apply(args[0], kwargs.get("inplace", False))
            mixed = torch.is_autocast_enabled(args[0].device.type)  # which casts convolutions, but none of ours
            if func is torch.conv2d and not kwargs and not mixed and _is_frozen(args):
                return _FrozenConv.apply(*args)
            if func is torch.nn.functional.max_pool2d and _is_plain_pooling(kwargs):
                return _LeanMaxPool.apply(*args, *(kwargs[name] for name in _POOL_SETTINGS))
        return func(*args, **kwargs)


def _is_frozen(args: tuple[Any, ...]) -> bool:
    weight, bias, padding = args[1], args[2], args[4]
    return not weight.requires_grad and (bias is None or not bias.requires_grad) and not isinstance(padding, str)


def _is_plain_pooling(settings: dict[str, Any]) -> bool:
    return not settings.get("return_indices") and all(settings.get(name) is not None for name in _POOL_SETTINGS)


class _LeanReLU(torch.autograd.Function):
    """ReLU that keeps one bit per value (one byte on a GPU) in the place of its output."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, inplace: bool) -> Tensor:
        if inplace:
            ctx.mark_dirty(inputs)
        outputs = inputs.relu_() if inplace else inputs.relu()
        mask = outputs > 0
        ctx.shape, ctx.strides = mask.shape, mask.stride()
        ctx.mask = _flat(mask)
        if mask.device.type == "cpu":
            ctx.mask = np.packbits(ctx.mask.numpy())
        return outputs

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        mask = ctx.mask
        if isinstance(mask, np.ndarray):
            mask = torch.from_numpy(np.unpackbits(mask, count=ctx.shape.numel()))
        return grads[0] * mask.as_strided(ctx.shape, ctx.strides), None


def _flat(dense: Tensor) -> Tensor:
    """The values of a dense tensor in the order of memory, whatever its layout."""
    return dense.as_strided((dense.numel(),), (1,))


class _FrozenConv(torch.autograd.Function):
    """Convolution whose weights get no gradient, so that its input need not be kept."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None,
        stride: Any, padding: Any, dilation: Any, groups: int,
    ) -> Tensor:  # fmt: skip
        ctx.save_for_backward(weight)
        ctx.like = _like(inputs)
        ctx.geometry = [_pair(stride), _pair(padding), _pair(dilation)]
        ctx.groups = groups
        return torch.conv2d(inputs, weight, bias, stride, padding, dilation, groups)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (weight,) = ctx.saved_tensors
        wanted = [True, False, False]
        grad, _, _ = torch.ops.aten.convolution_backward(
            grads[0], ctx.like(), weight, None, *ctx.geometry, False, [0, 0], ctx.groups, wanted
        )
        return (grad, *[None] * 6)


class _LeanMaxPool(torch.autograd.Function):
    """Max pooling that keeps where the maxima are in 4 bytes each, and not its input."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil: bool) -> Tensor:
        ctx.like = _like(inputs)
        ctx.geometry = [_pair(kernel), _pair(stride), _pair(padding), _pair(dilation), ceil]
        outputs, indices = torch.ops.aten.max_pool2d_with_indices(inputs, *ctx.geometry)
        ctx.save_for_backward(indices.to(torch.int32))  # positions within one channel's plane
        return outputs

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (indices,) = ctx.saved_tensors
        backward = torch.ops.aten.max_pool2d_with_indices_backward
        return (backward(grads[0], ctx.like(), *ctx.geometry, indices.to(torch.int64)), *[None] * 5)


def _pair(value: int | Sequence[int]) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value)


def _like(tensor: Tensor) -> Callable[[], Tensor]:
    """Makes an unwritten tensor of the same kind, for gradients that ask only for the input's shape and layout."""
    shape, dtype, device = tensor.shape, tensor.dtype, tensor.device
    layout = torch.channels_last if tensor.is_contiguous(memory_format=torch.channels_last) else torch.contiguous_format
    return lambda: torch.empty(shape, dtype=dtype, device=device, memory_format=layout)
