"""Re-estimating the running statistics of norm layers on the images of a task."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmbnft.protocols.norms import NormLayer, find_norm_layers
from mmbnft.utils.errors import UserError


def recalibrate_statistics(
    module: nn.Module,
    batches: Iterable[Tensor],
    forward: Callable[[Tensor], object] | None = None,
    layers: Sequence[NormLayer] | None = None,
) -> int:
    """Re-estimate running means and variances over the given batches; nothing else changes.

    The old statistics have no weight. While the batches pass, the layers normalise with the statistics of each batch
    and everything else is in eval mode. A running mean becomes the average of the batch means, weighted by images: for
    the first norm layer exactly the mean over all images. A running variance becomes the average, weighted by images,
    of the unbiased variances within each batch; it does not contain the variance between batch means, so batches
    should be shuffled and not tiny. Modes, momenta and trainability are afterwards as before.

    Args:
        module: The backbone.
        batches: Image batches of shape (N, ...), each once, on the module's device.
        forward: How to pass a batch through the network; None calls `module`.
        layers: Norm layers to re-estimate; None takes all that keep statistics.

    Returns:
        Number of images seen.

    Raises:
        UserError: No statistics to estimate, no batch, an empty batch, too few values in a batch, or statistics that
            are not finite. The statistics are then as they were.
    """
    found = find_norm_layers(module) if layers is None else layers
    keeping = [layer.module for layer in found if layer.has_stats]
    if not keeping:
        raise UserError(f"{type(module).__name__} has no running statistics to recalibrate; use norm_stats 'frozen'")
    modes = [(child, child.training) for child in module.modules()]
    momenta = [(layer, layer.momentum) for layer in keeping]
    saved = [(buffer, buffer.clone()) for layer in keeping for buffer in layer.buffers(recurse=False)]
    try:
        for child, _ in modes:
            child.training = False
        for layer in keeping:
            layer.training = True
        images = _accumulate(keeping, batches, forward or module)
        _check_finite(found)
        return images
    except BaseException:
        for buffer, value in saved:
            buffer.copy_(value)
        raise
    finally:
        for child, mode in modes:
            child.training = mode
        for layer, momentum in momenta:
            layer.momentum = momentum


@torch.no_grad()
def _accumulate(layers: Sequence[Any], batches: Iterable[Tensor], forward: Callable[[Tensor], object]) -> int:
    images = 0
    for index, batch in enumerate(batches):
        if batch.shape[0] == 0:
            raise UserError(f"batch {index} given for recalibration holds no image; leave empty batches out")
        images += batch.shape[0]
        for layer in layers:
            if index == 0:
                layer.reset_running_stats()
            # A momentum of n/N makes the exponential average the exact average weighted by images; torch's
            # momentum None weighs batches equally and is not honoured by instance norm.
            layer.momentum = batch.shape[0] / images
        try:
            forward(batch)
        except ValueError as error:
            if "more than 1 value" not in str(error):
                raise
            raise UserError(
                f"batch {index} with {batch.shape[0]} image(s) is too small to estimate statistics: {error}; "
                "use larger batches"
            ) from error
    if images == 0:
        raise UserError("no batch was given to recalibrate statistics on; give the task's training images")
    return images


def _check_finite(layers: Sequence[NormLayer]) -> None:
    for layer in layers:
        for name, buffer in layer.module.named_buffers(recurse=False):
            if layer.has_stats and not bool(torch.isfinite(buffer).all()):
                raise UserError(
                    f"recalibration gave a {name} of layer {layer.name} that is not finite; check images and weights"
                )
