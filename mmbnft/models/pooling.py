"""One feature vector per image, whatever a backbone of the host stack returns."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmbnft.utils.errors import UserError


def pooled_features(outputs: Tensor | Sequence[Tensor] | Sequence[Sequence[Tensor]]) -> Tensor:
    """Pool the last output of a backbone.

    Args:
        outputs: A tensor, or a tuple of them of which the last counts. Feature maps (N, C, H, W) are averaged over
            space; token sequences [patch map, class token], as vision transformers of the host return them, give the
            class token; vectors (N, C) are passed on.

    Returns:
        (N, C).

    Raises:
        UserError: The output is of another form.
    """
    last = outputs
    while isinstance(last, (tuple, list)) and last:
        last = last[-1]
    if isinstance(last, Tensor) and last.dim() == 4:
        return torch.flatten(torch.nn.functional.adaptive_avg_pool2d(last, 1), 1)
    if isinstance(last, Tensor) and last.dim() == 2:
        return last
    shape = tuple(last.shape) if isinstance(last, Tensor) else type(last).__name__
    raise UserError(f"a backbone must return maps (N, C, H, W) or vectors (N, C), got {shape}; set its out_indices")
