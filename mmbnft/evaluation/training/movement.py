"""How far each part of a network moves in an epoch."""

import torch
from torch import Tensor, nn

from mmbnft.models import ProtocolBackbone
from mmbnft.protocols import find_norm_layers
from mmbnft.protocols.stages import find_stages
from mmbnft.utils.errors import UserError

HEAD, BACKBONE = "head", "backbone"


class Movement:
    """The relative change of the parameters that train, by part: stem, stages and head, norm layers by themselves.

    Args:
        model: The host's algorithm, as it is at the beginning.
    """

    def __init__(self, model: nn.Module) -> None:
        self._trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self._before = {name: parameter.detach().clone() for name, parameter in self._trained.items()}
        self._parts = _parts(model, self._trained)

    @torch.no_grad()
    def changes(self) -> dict[str, float]:
        """Euclidean length of each part's change since the beginning over its length then, where that is not 0."""
        squares: dict[str, list[Tensor]] = {}
        for name, parameter in self._trained.items():
            before = self._before[name]
            pair = torch.stack([(parameter - before).square().sum(), before.square().sum()])
            squares.setdefault(self._parts[name], []).append(pair)
        found = {}
        for part, pairs in squares.items():
            change, length = torch.stack(pairs).sum(dim=0).sqrt().tolist()
            if length:
                found[part] = change / length
        return found


def _parts(model: nn.Module, names: dict[str, nn.Parameter]) -> dict[str, str]:
    """The part that each parameter belongs to."""
    backbone = model.backbone
    assert isinstance(backbone, ProtocolBackbone)
    inner = f"{BACKBONE}."
    norms = {inner + name for layer in find_norm_layers(backbone.wrapped) for name in layer.affine_names}
    try:
        stages = find_stages(backbone.wrapped)
    except UserError:  # a network that cannot be divided
        stages = None
    found = {}
    for name in names:
        if not name.startswith(inner):
            found[name] = HEAD
            continue
        stage = None if stages is None else stages.stage_of(name.removeprefix(inner))
        part = BACKBONE if stage is None else f"stage {stage}" if stage else "stem"
        found[name] = f"{part} norm" if name in norms else part
    return found
