"""How far each part of a network moves in an epoch."""

import math

import torch
from torch import nn

from mmbnft.models import ProtocolBackbone
from mmbnft.protocols import find_norm_layers
from mmbnft.protocols.stages import find_stages
from mmbnft.utils.errors import UserError

HEAD, BACKBONE = "head", "backbone"
# Between the bins of `sizes`: a parameter's change over the root mean square of its tensor before.
EDGES: tuple[float, ...] = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
# Values of a tensor that `sizes` looks at, so that a training does not notice.
SAMPLE = 2000


class Movement:
    """The relative change of the parameters that train, by part: stem, stages and head, norm layers by themselves.

    Args:
        model: The host's algorithm in a phase of its protocol.
    """

    def __init__(self, model: nn.Module) -> None:
        trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
        self._parts = list(_parts(model, trained).values())
        self._trained = [parameter.detach() for parameter in trained.values()]
        self.begin()

    def begin(self) -> None:
        """Take what follows as changes from now on."""
        self._before = [tensor.clone() for tensor in self._trained]

    @torch.no_grad()
    def changes(self) -> dict[str, float]:
        """Euclidean length of each part's change since the beginning over its length then, where that is not 0."""
        # All tensors at once: a network has many small ones.
        lengths = torch._foreach_norm(self._before)
        changes = torch._foreach_norm(torch._foreach_sub(self._trained, self._before))
        values = torch.stack([*lengths, *changes]).double().square().tolist()
        sums: dict[str, list[float]] = {}
        for part, length, change in zip(self._parts, values[: len(lengths)], values[len(lengths) :], strict=True):
            total = sums.setdefault(part, [0.0, 0.0])
            total[0] += length
            total[1] += change
        return {part: math.sqrt(change / length) for part, (length, change) in sums.items() if length}

    @torch.no_grad()
    def sizes(self) -> dict[str, list[int]]:
        """How many parameters of each part changed by how much since the beginning, in the bins between `EDGES`.

        Of each tensor at most `SAMPLE` parameters, evenly spaced, are looked at. Tensors that were 0 at the beginning,
        such as the biases of norm layers before their first step, are left out.
        """
        before, after = ([_sample(tensor) for tensor in tensors] for tensors in (self._before, self._trained))
        sizes = torch.stack(torch._foreach_norm(before)).cpu() / torch.tensor([len(one) for one in before]).sqrt()
        lengths = torch.tensor([len(one) for one in before])
        names = list(dict.fromkeys(self._parts))
        parts = torch.tensor([names.index(part) for part in self._parts]).repeat_interleave(lengths)
        changes = (torch.cat(after) - torch.cat(before)).abs().cpu() / sizes.repeat_interleave(lengths)
        bins = torch.bucketize(changes, torch.tensor(EDGES)) + parts * (len(EDGES) + 1)
        known = torch.isfinite(changes)
        counts = torch.bincount(bins[known], minlength=len(names) * (len(EDGES) + 1)).view(len(names), -1)
        return {name: row for name, row in zip(names, counts.tolist(), strict=True) if any(row)}


def _sample(tensor: torch.Tensor) -> torch.Tensor:
    """At most `SAMPLE` values, evenly spaced in memory; a training's tensors are dense in whatever order."""
    flat = torch.as_strided(tensor, (tensor.numel(),), (1,))
    return flat[:: -(-len(flat) // SAMPLE)]


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
