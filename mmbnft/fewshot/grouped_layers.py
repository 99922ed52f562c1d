"""Batch norm with one set of parameters and statistics per group of images."""

from typing import Any

import torch
from torch import Tensor, nn

from mmbnft.utils.errors import UserError


class GroupedNorm(nn.Module):
    """A batch norm for a batch in which G groups of equally many images follow each other.

    Each group has its own scale, offset and running statistics, and with `batch` statistics is normalised by its own.
    An addition and a ReLU that follow the layer can be fused into it.

    Args:
        layer: The layer to stand for; it is not changed.
        trains: Whether scale and offset train.
        follows: Whether the statistics are those of the batch while training.

    Attributes:
        weight: Scales (G, C); the groups share them where they do not train.
        bias: Offsets (G, C), likewise.
        running_mean: (G, C), None until `reset`.
        running_var: (G, C), unbiased variances.
        rectifies: Whether a ReLU is fused into the layer.
    """

    def __init__(self, layer: nn.BatchNorm2d, trains: bool, follows: bool) -> None:
        super().__init__()
        self.source = {name: tensor.detach().clone() for name, tensor in layer.state_dict().items()}
        self.channels = layer.num_features
        self.eps = layer.eps
        self.momentum = layer.momentum
        self.trains = trains and layer.affine
        self.follows = follows
        self.rectifies = False
        self.weight = self.bias = self.running_mean = self.running_var = torch.empty(0)
        self.tracked = 0

    def reset(self, groups: int) -> None:
        """Back to the statistics and parameters of the layer that this one stands for, once for each group."""
        some = self.source["running_mean"]
        weight, bias = self.source.get("weight", torch.ones_like(some)), self.source.get("bias", torch.zeros_like(some))
        self.weight, self.bias = weight.repeat(groups, 1), bias.repeat(groups, 1)
        self.running_mean = some.repeat(groups, 1)
        self.running_var = self.source["running_var"].repeat(groups, 1)
        self.tracked = int(self.source.get("num_batches_tracked", torch.tensor(0)))

    def forward(self, inputs: Tensor, added: Tensor | None = None) -> Tensor:
        """Normalise (G * R, C, H, W); `added`, of the same shape, is added before the ReLU."""
        arguments = (inputs, self.weight, self.bias, added, self.rectifies, self.eps)
        if not (self.follows and self.training):
            return _Normalise.apply(*arguments, self.running_mean, self.running_var)[0]
        values = inputs.shape[0] // len(self.weight) * inputs.shape[2] * inputs.shape[3]
        if values < 2:
            raise UserError(
                "a batch of one image leaves one value per channel, which has no variance; give more images or use "
                "frozen statistics"
            )
        outputs, mean, variance = _Normalise.apply(*arguments, None, None)
        self.tracked += 1
        momentum = 1.0 / self.tracked if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance * (values / (values - 1)), momentum)
        return outputs


class _Normalise(torch.autograd.Function):
    """Batch norm per group, addition and ReLU, keeping for the backward pass only the inputs and rectified outputs."""

    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        weight: Tensor,
        bias: Tensor,
        added: Tensor | None,
        rectifies: bool,
        eps: float,
        mean: Tensor | None,
        variance: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Outputs, mean and variance; the mean and the biased variance are the groups' own where none are given."""
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        values = _by_group(inputs, len(weight))
        ctx.follows = mean is None or variance is None
        if mean is None or variance is None:
            variance, mean = torch.var_mean(values, dim=1, correction=0)
        scale = weight * torch.rsqrt(variance + eps)
        shift = bias - mean * scale
        outputs = _as_images(torch.addcmul(shift[:, None], values, scale[:, None]), inputs)
        if added is not None:
            outputs += added
        if rectifies:
            outputs.relu_()
        ctx.save_for_backward(inputs, weight, mean, variance, outputs if rectifies else None)
        ctx.eps, ctx.adds = eps, added is not None
        ctx.mark_non_differentiable(mean, variance)
        return outputs, mean, variance

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        """Gradients of the inputs, scales, offsets and of what was added."""
        inputs, weight, mean, variance, outputs = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        if outputs is not None:
            gradient = torch.ops.aten.threshold_backward(gradient, outputs, 0)
        slopes = _by_group(gradient, len(weight))
        deviation = torch.rsqrt(variance + ctx.eps)
        normal = (_by_group(inputs, len(weight)) - mean[:, None]).mul_(deviation[:, None])
        for_scale, for_offset = (slopes * normal).sum(dim=1), slopes.sum(dim=1)
        for_inputs = None
        if ctx.needs_input_grad[0]:
            if ctx.follows:
                count = slopes.shape[1]
                slopes = torch.addcmul(slopes - for_offset[:, None] / count, normal, for_scale[:, None] / -count)
            for_inputs = _as_images(slopes * (weight * deviation)[:, None], inputs)
        for_added = gradient if ctx.adds and ctx.needs_input_grad[3] else None
        return for_inputs, for_scale, for_offset, for_added, None, None, None, None


def _by_group(images: Tensor, groups: int) -> Tensor:
    """View a channels-last batch (G * R, C, H, W) as (G, R * H * W, C)."""
    return images.permute(0, 2, 3, 1).reshape(groups, -1, images.shape[1])


def _as_images(values: Tensor, like: Tensor) -> Tensor:
    """View (G, R * H * W, C) as a channels-last batch of the shape of `like`."""
    count, channels, height, width = like.shape
    return values.reshape(count, height, width, channels).permute(0, 3, 1, 2)
