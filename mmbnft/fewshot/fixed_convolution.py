"""A frozen convolution that passes gradients to its inputs as quickly as its shape allows."""

from typing import Any

import torch
from torch import Tensor, nn

# Where a convolution makes a small map of many channels, the library's channels-last code takes about twice the time.
_SMALL_MAP = 16
_MANY_CHANNELS = 128


class FixedConvolution(nn.Module):
    """A frozen convolution. While training, two kinds are computed as matrix products.

    - A map of few pixels: most taps of the kernel fall on the padding, so that the whole convolution, written out as a
      matrix from all input values of an image to all its output values, needs fewer products.
    - A kernel of one pixel with a stride: the pixels in between need not be read, nor their gradients computed.

    In evaluation mode it is always one of torch's convolutions, whose result for an image does not depend on the
    image's place in the batch; that of a matrix product does in the last digits.

    Args:
        conv: The convolution, whose weights are used as they are.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv.requires_grad_(False)
        self._matrices: dict[tuple[int, int], Tensor] = {}
        self._plain_weight: Tensor | None = None

    def forward(self, inputs: Tensor) -> Tensor:
        """Convolve (N, C, H, W)."""
        stride, taps = self.conv.stride, self.conv.kernel_size[0] * self.conv.kernel_size[1]
        if not self.training:
            return self._convolve(inputs)
        if taps == 1 and max(stride) > 1 and self.conv.groups == 1 and not any(self._padding()):
            return _Pointwise.apply(inputs, self.conv.weight.flatten(1), self.conv.bias, stride)
        if taps > 1 and inputs.shape[2] * inputs.shape[3] < taps * max(stride):
            return self._multiply(inputs)
        return self._convolve(inputs)

    def _convolve(self, inputs: Tensor) -> Tensor:
        """Convolve in the layout that suits the map's size."""
        pixels = inputs.shape[2] * inputs.shape[3] // (self.conv.stride[0] * self.conv.stride[1])
        if inputs.device.type != "cpu" or pixels > _SMALL_MAP or self.conv.in_channels < _MANY_CHANNELS:
            return self.conv(inputs)
        if self._plain_weight is None:
            self._plain_weight = self.conv.weight.contiguous()
        return self.conv._conv_forward(inputs.contiguous(), self._plain_weight, self.conv.bias)

    def _padding(self) -> tuple[int, ...]:
        padding = self.conv.padding
        return (1,) if isinstance(padding, str) else tuple(padding)

    @torch.no_grad()
    def _matrix(self, channels: int, height: int, width: int) -> tuple[Tensor, tuple[int, ...]]:
        """The convolution as a matrix, inputs and outputs in the order row, column, channel; the outputs' shape."""
        values = height * width * channels
        if (height, width) not in self._matrices:
            weight = self.conv.weight
            basis = torch.eye(values, dtype=weight.dtype, device=weight.device)
            images = basis.unflatten(1, (height, width, channels)).permute(0, 3, 1, 2)
            outputs = self.conv._conv_forward(images, weight, None)
            self._matrices[height, width] = outputs.permute(0, 2, 3, 1).contiguous()
        matrix = self._matrices[height, width]
        return matrix.flatten(1), tuple(matrix.shape[1:])

    def _multiply(self, inputs: Tensor) -> Tensor:
        matrix, shape = self._matrix(*inputs.shape[1:])
        outputs = (inputs.permute(0, 2, 3, 1).flatten(1) @ matrix).unflatten(1, shape)
        if self.conv.bias is not None:
            outputs = outputs + self.conv.bias
        return outputs.permute(0, 3, 1, 2)


class _Pointwise(torch.autograd.Function):
    """A convolution of kernel 1 with a stride, in channels-last layout."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None, stride: tuple[int, int]) -> Tensor:
        """Outputs for inputs (N, C, H, W) and a weight (O, C)."""
        ctx.save_for_backward(weight)
        ctx.shape, ctx.stride = inputs.shape, stride
        values = inputs.permute(0, 2, 3, 1)[:, :: stride[0], :: stride[1]]
        outputs = nn.functional.linear(values, weight, bias)
        return outputs.permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Gradient of the inputs: 0 between the pixels that were read."""
        (weight,) = ctx.saved_tensors
        count, channels, height, width = ctx.shape
        values = gradient.new_zeros(count, height, width, channels)
        values[:, :: ctx.stride[0], :: ctx.stride[1]] = gradient.permute(0, 2, 3, 1) @ weight
        return values.permute(0, 3, 1, 2), None, None, None
