"""What a phase means for a given backbone, worked out before anything is changed."""

from dataclasses import dataclass

from torch import nn

from mmbnft.protocols.norm_layers import select_norm_layers
from mmbnft.protocols.norms import NormLayer, find_norm_layers
from mmbnft.protocols.protocol import Phase
from mmbnft.protocols.stages import Stages, require_stage
from mmbnft.utils.errors import UserError


@dataclass(frozen=True)
class PhasePlan:
    """A phase resolved on a backbone.

    Attributes:
        phase: The phase.
        selected: Norm layers that the phase selects.
        trainable_names: Parameters of the backbone that train.
        statistics_names: Buffers that are meant to move: running statistics under `batch` or `recalibrate`.
        following: Names of the modules that follow `train(mode)`; every other module stays in eval mode.
    """

    phase: Phase
    selected: tuple[NormLayer, ...]
    trainable_names: tuple[str, ...]
    statistics_names: tuple[str, ...]
    following: frozenset[str]


def plan_phase(backbone: nn.Module, phase: Phase) -> PhasePlan:
    """Resolve a phase on a backbone without changing it.

    Args:
        backbone: Any module; the head is not part of it.
        phase: The phase.

    Raises:
        UserError: The phase has no meaning for this network: no norm layers to train, no statistics to move, no such
            stage, or no `paper` selection.
    """
    stages = None if phase.first_stage is None else require_stage(backbone, phase.first_stage)
    first = phase.first_stage or 0
    selected = tuple(
        layer
        for layer in select_norm_layers(backbone, phase.norm_layers)
        if stages is None or stages.stage_of(layer.name) >= first
    )
    statistics = tuple(name for layer in selected for name in layer.statistics_names)
    _refuse_empty(backbone, phase, selected, statistics)
    return PhasePlan(
        phase=phase,
        selected=selected,
        trainable_names=_trainable_names(backbone, phase, selected, stages),
        statistics_names=statistics if phase.norm_stats != "frozen" else (),
        following=_following(backbone, phase, selected, stages),
    )


def _refuse_empty(
    backbone: nn.Module, phase: Phase, selected: tuple[NormLayer, ...], statistics: tuple[str, ...]
) -> None:
    network = type(backbone).__name__
    if phase.train == "norm" and not any(layer.has_affine for layer in selected):
        found = "norm layers without affine parameters" if selected else "no norm layers"
        raise UserError(
            f"train 'norm' has nothing to train in {network}, which has {found}; choose head, stage:K or all"
        )
    needs_statistics = phase.norm_stats == "recalibrate" or (phase.norm_stats == "batch" and phase.train == "head")
    if needs_statistics and not statistics:
        raise UserError(
            f"norm_stats {phase.norm_stats!r} has no running statistics to move in {network}, so that the phase would "
            "be the same as with norm_stats 'frozen'; use that"
        )


def _trainable_names(
    backbone: nn.Module, phase: Phase, selected: tuple[NormLayer, ...], stages: Stages | None
) -> tuple[str, ...]:
    """Names of the parameters that train, in the order of `named_parameters`."""
    affine = {name for layer in selected for name in layer.affine_names}
    if phase.train == "head":
        return ()
    every = [name for name, parameter in backbone.named_parameters() if parameter.is_floating_point()]
    if phase.train == "norm":
        return tuple(name for name in every if name in affine)
    frozen = {name for layer in find_norm_layers(backbone) for name in layer.affine_names} - affine
    if stages is None:
        return tuple(name for name in every if name not in frozen)
    first = phase.first_stage or 0
    return tuple(name for name in every if name not in frozen and stages.stage_of(name) >= first)


def _following(
    backbone: nn.Module, phase: Phase, selected: tuple[NormLayer, ...], stages: Stages | None
) -> frozenset[str]:
    """Names of the modules that follow `train(mode)`."""
    with_batch = {layer.name for layer in selected} if phase.norm_stats == "batch" else set()
    if phase.train == "head":
        return frozenset(with_batch)
    norms = {layer.name for layer in find_norm_layers(backbone)}
    names = [name for name, _ in backbone.named_modules()]
    if stages is not None:
        first = phase.first_stage or 0
        names = [name for name in names if stages.reaches(name, first)]
    return frozenset(name for name in names if name not in norms or name in with_batch)
