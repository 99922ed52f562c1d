"""Which adapter serves a method."""

from torch import nn

from mmbnft.errors import UserError
from mmbnft.fewshot.grouped import GroupedAdapter
from mmbnft.fewshot.methods import Method
from mmbnft.fewshot.sequential import SequentialAdapter

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
