"""Which adapter serves a method, and for how many episodes at a time."""

import torch
from torch import nn

from mmbnft.fewshot.grouped import GroupedAdapter, group_size
from mmbnft.fewshot.methods import Method
from mmbnft.fewshot.sequential import SequentialAdapter, episode_phase
from mmbnft.utils.errors import UserError

Adapter = GroupedAdapter | SequentialAdapter


def make_adapter(backbone: nn.Module, method: Method, groups: int, classes: int) -> Adapter:
    """The grouped adapter where it knows method and network, else the sequential one; both give the same.

    Args:
        backbone: The backbone, in the state of its checkpoint.
        method: A method with a protocol.
        groups: Episodes at a time.
        classes: Classes of an episode.

    Raises:
        UserError: The method has no meaning for the network.
    """
    assert method.protocol is not None
    try:
        return GroupedAdapter(backbone, method.protocol, groups, classes, norm_stats=method.norm_stats)
    except UserError:
        return SequentialAdapter(backbone, method.protocol, groups, classes, norm_stats=method.norm_stats)


def episodes_at_once(method: Method, images: int, height: int, width: int, device: torch.device) -> int:
    """How many episodes to adapt to at a time; one where every episode has its own copy of the convolutions.

    Args:
        method: A method with a protocol.
        images: Images of an episode's step.
        height: Of an image, pixels.
        width: Of an image, pixels.
        device: Where they are computed.
    """
    assert method.protocol is not None
    shares = episode_phase(method.protocol, method.norm_stats).train in ("head", "norm")
    return group_size(images, height, width, device) if shares else 1
