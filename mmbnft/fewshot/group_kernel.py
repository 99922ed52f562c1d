"""The arithmetic of batch norm per group, on batches in channels-last layout.

`TorchBackend` states it in torch's operators.
"""

import torch
from torch import Tensor


def _by_group(images: Tensor, groups: int) -> Tensor:
    """View a channels-last batch (G * R, C, H, W) as (G, R * H * W, C)."""
    return images.permute(0, 2, 3, 1).reshape(groups, -1, images.shape[1])


def _as_images(values: Tensor, like: Tensor) -> Tensor:
    """View (G, R * H * W, C) as a channels-last batch of the shape of `like`."""
    count, channels, height, width = like.shape
    return values.reshape(count, height, width, channels).permute(0, 3, 1, 2)


class TorchBackend:
    """Torch's operators, on any device and in any precision."""

    @staticmethod
    def moments(inputs: Tensor, groups: int) -> tuple[Tensor, Tensor]:
        """Mean and biased variance (G, C) of every group's values."""
        variance, mean = torch.var_mean(_by_group(inputs, groups), dim=1, correction=0)
        return mean, variance

    @staticmethod
    def apply(inputs: Tensor, scale: Tensor, shift: Tensor, added: Tensor | None, rectifies: bool) -> Tensor:
        """Inputs * scale + shift, plus what is added, at least 0 if it rectifies."""
        values = torch.addcmul(shift[:, None], _by_group(inputs, len(scale)), scale[:, None])
        outputs = _as_images(values, inputs)
        if added is not None:
            outputs += added
        return outputs.relu_() if rectifies else outputs

    @staticmethod
    def mask(gradient: Tensor, outputs: Tensor) -> Tensor:
        """The gradient where the ReLU let something through."""
        return torch.ops.aten.threshold_backward(gradient, outputs, 0)

    @staticmethod
    def sums(gradient: Tensor, inputs: Tensor, mean: Tensor, deviation: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of scale and offset, (G, C); `deviation` is one over the standard deviation."""
        slopes = _by_group(gradient, len(mean))
        centred = _by_group(inputs, len(mean)) - mean[:, None]
        return (slopes * centred).sum(dim=1) * deviation, slopes.sum(dim=1)

    @staticmethod
    def back(
        gradient: Tensor,
        inputs: Tensor,
        scale: Tensor,
        mean: Tensor,
        deviation: Tensor,
        sums: tuple[Tensor, Tensor] | None,
    ) -> Tensor:
        """Gradient of the inputs; `sums` where mean and variance depend on them."""
        slopes = _by_group(gradient, len(scale))
        if sums is None:
            return _as_images(slopes * scale[:, None], inputs)
        values = slopes.shape[1]
        # scale * (gradient - mean gradient - normalised input * mean of gradient times normalised input)
        slope = scale * deviation * sums[0] / -values
        shift = -slope * mean - scale * sums[1] / values
        result = torch.addcmul(shift[:, None], _by_group(inputs, len(scale)), slope[:, None])
        return _as_images(result.addcmul_(slopes, scale[:, None]), inputs)


def backend(inputs: Tensor) -> type[TorchBackend]:
    """What computes on such inputs."""
    return TorchBackend
