"""Selection of norm layers by a named policy."""

from torch import nn

from mmbnft.protocols.blocks import select_paper_layers
from mmbnft.protocols.norms import NormLayer, find_norm_layers
from mmbnft.protocols.protocol import NORM_LAYERS
from mmbnft.utils.errors import UserError


def select_norm_layers(module: nn.Module, policy: str) -> list[NormLayer]:
    """Norm layers that a policy selects, in the order in which the network registers them.

    Args:
        module: The backbone.
        policy: `all`, which may select nothing, or `paper` (see `mmbnft.protocols.blocks`).

    Raises:
        UserError: The policy is unknown, or `paper` has no meaning for this network.
    """
    if policy == "all":
        return find_norm_layers(module)
    if policy == "paper":
        return select_paper_layers(module)
    raise UserError(f"norm_layers must be one of {', '.join(NORM_LAYERS)}, got {policy!r}")
