"""Batch norm with one set of parameters and statistics per group of images."""

from typing import Any

import torch
from torch import Tensor, nn

from mmbnft.fewshot.group_kernel import choose_backend
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
    """Batch norm per group, addition and ReLU, keeping for the way back only the inputs and rectified outputs."""

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
        added = None if added is None else added.contiguous(memory_format=torch.channels_last)
        given = None if mean is None or variance is None else (mean, variance)
        ctx.backend = choose_backend(inputs)
        outputs, mean, variance = ctx.backend.forward(inputs, (weight, bias), added, rectifies, given, eps)
        ctx.save_for_backward(inputs, weight, mean, variance, outputs if rectifies else None)
        ctx.eps, ctx.follows, ctx.adds = eps, given is None, added is not None
        ctx.mark_non_differentiable(mean, variance)
        return outputs, mean, variance

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        """Gradients of the inputs, scales, offsets and of what was added."""
        inputs, weight, mean, variance, outputs = ctx.saved_tensors
        wanted = ctx.needs_input_grad[0], ctx.adds and ctx.needs_input_grad[3]
        gradients = ctx.backend.backward(
            gradient.contiguous(memory_format=torch.channels_last),
            inputs, outputs, weight, (mean, variance), ctx.eps, ctx.follows, wanted,
        )  # fmt: skip
        return *gradients, None, None, None, None
