"""Selection of norm layers by a named policy."""

from torch import nn

from mmbnft.protocols.blocks import select_paper_layers
from mmbnft.protocols.norms import NormLayer, find_norm_layers
from mmbnft.protocols.protocol import check_norm_layers, stage_number
from mmbnft.protocols.stages import STEM, find_stages, require_stage


def select_norm_layers(module: nn.Module, policy: str) -> list[NormLayer]:
    """Norm layers that a policy selects, in the order in which the network registers them.

    Args:
        module: The backbone.
        policy: `all`, which may select nothing, `paper` (see `mmbnft.protocols.blocks`), `stem`, `stage:K` or `last`.

    Raises:
        UserError: The policy is unknown, or has no meaning for this network.
    """
    check_norm_layers(policy)
    if policy == "paper":
        return select_paper_layers(module)
    every, stage = find_norm_layers(module), stage_number(policy)
    if policy == "last":
        return every[-1:]
    if policy == "stem" or stage is not None:
        stages = find_stages(module) if stage is None else require_stage(module, stage)
        return [layer for layer in every if stages.stage_of(layer.name) == (stage or STEM)]
    return every
