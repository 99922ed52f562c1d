"""Putting a phase into effect on a backbone, and taking it back."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from torch import Tensor, nn

from mmbnft.protocols.norm_statistics import recalibrate_statistics
from mmbnft.protocols.norms import NormLayer
from mmbnft.protocols.phase_plan import PhasePlan, plan_phase
from mmbnft.protocols.protocol import Phase


@dataclass(frozen=True)
class Counts:
    """How much of a backbone a phase trains.

    Attributes:
        trainable_values: Number of values that train.
        total_values: Number of values of all parameters of the backbone.
        trainable_tensors: Number of parameters that train.
        selected_layers: Number of norm layers that the phase selects.
        moving_statistics: Number of norm layers whose running statistics are meant to move.
    """

    trainable_values: int
    total_values: int
    trainable_tensors: int
    selected_layers: int
    moving_statistics: int

    @property
    def percent(self) -> float:
        """Trainable values in percent of the backbone's."""
        return 100.0 * self.trainable_values / self.total_values if self.total_values else 0.0


class AppliedPhase:
    """A phase in effect on a backbone. Made by `apply_phase`.

    Attributes:
        backbone: The backbone.
        plan: What the phase means for it.
    """

    def __init__(self, backbone: nn.Module, plan: PhasePlan) -> None:
        self.backbone = backbone
        self.plan = plan
        self._flags = [(parameter, parameter.requires_grad) for parameter in backbone.parameters()]
        self._modes = [(module, module.training) for module in backbone.modules()]
        # Looked up once, because restore_modes runs at every switch between training and evaluation.
        self._follows = [(module, name in plan.following) for name, module in backbone.named_modules()]
        trainable = set(plan.trainable_names)
        for name, parameter in backbone.named_parameters():
            if parameter.is_floating_point():
                parameter.requires_grad_(name in trainable)
        self.restore_modes()

    @property
    def phase(self) -> Phase:
        """The phase in effect."""
        return self.plan.phase

    @property
    def selected(self) -> tuple[NormLayer, ...]:
        """Norm layers that the phase selects."""
        return self.plan.selected

    @property
    def trainable_names(self) -> tuple[str, ...]:
        """Names of the backbone's parameters that train."""
        return self.plan.trainable_names

    @property
    def statistics_names(self) -> tuple[str, ...]:
        """Names of the backbone's buffers that are meant to move."""
        return self.plan.statistics_names

    def restore_modes(self) -> None:
        """Set every sub-module's mode as the phase demands; call it after every `train(mode)`.

        The mode asked for is read off the backbone: training if the backbone itself, or a module that follows it, is
        in train mode. So a second call changes nothing. Trainability is never touched, and whatever an overridden
        `train` did to modes is overruled.
        """
        training = self.backbone.training or any(module.training for module, follows in self._follows if follows)
        for module, follows in self._follows:
            # Not module.train(): networks of the host framework override it and freeze parameters there.
            module.training = training and follows

    def restore(self) -> None:
        """Put back the trainability and the modes found when the phase was applied."""
        for parameter, flag in self._flags:
            parameter.requires_grad_(flag)
        for module, mode in self._modes:
            module.training = mode

    def counts(self) -> Counts:
        """How much of the backbone trains."""
        sizes = {name: parameter.numel() for name, parameter in self.backbone.named_parameters()}
        moving = {name.rpartition(".")[0] for name in self.statistics_names}
        return Counts(
            trainable_values=sum(sizes[name] for name in self.trainable_names),
            total_values=sum(sizes.values()),
            trainable_tensors=len(self.trainable_names),
            selected_layers=len(self.selected),
            moving_statistics=len(moving),
        )

    def recalibrate(self, batches: Iterable[Tensor], forward: Callable[[Tensor], object] | None = None) -> int:
        """Re-estimate the running statistics of the selected layers; see `recalibrate_statistics`."""
        return recalibrate_statistics(self.backbone, batches, forward, layers=self.selected)


def apply_phase(backbone: nn.Module, phase: Phase) -> AppliedPhase:
    """Put a phase into effect: trainability at once, modes from the backbone's present mode.

    Call it before the optimiser and any distributed wrapper are built. The phase decides about every parameter, also
    about those that were frozen before; `AppliedPhase.restore` puts the earlier flags back.

    Args:
        backbone: Any module; the head is a separate one.
        phase: The phase.

    Raises:
        UserError: The phase has no meaning for this network; nothing was changed.
    """
    return AppliedPhase(backbone, plan_phase(backbone, phase))
