"""Which adapter serves a method, and for how many episodes at a time."""

import torch
from torch import nn

from mmbnft.fewshot.methods import Method
from mmbnft.fewshot.sequential import SequentialAdapter

# Images of a step over all episodes of a group, at 32 x 32 pixels; fewer where images are larger.
_GROUP_IMAGES = 400
_PIXELS = 32 * 32


def make_adapter(backbone: nn.Module, method: Method, groups: int, classes: int) -> SequentialAdapter:
    """An adapter for a method with a protocol.

    Args:
        backbone: The backbone, in the state of its checkpoint.
        method: A method with a protocol.
        groups: Episodes at a time.
        classes: Classes of an episode.

    Raises:
        UserError: The method has no meaning for the network.
    """
    assert method.protocol is not None
    return SequentialAdapter(backbone, method.protocol, groups, classes, norm_stats=method.norm_stats)


def group_size(images: int, height: int, width: int, device: torch.device) -> int:
    """Episodes to adapt to at a time.

    Args:
        images: Images of an episode's step.
        height: Of an image, pixels.
        width: Of an image, pixels.
        device: Where they are computed.
    """
    budget = _GROUP_IMAGES * (16 if device.type == "cuda" else 1) * _PIXELS
    return max(1, budget // (images * height * width))
