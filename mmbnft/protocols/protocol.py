"""What a protocol is: a short list of phases, as plain data."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from mmbnft.utils.errors import UserError, choices

_TRAIN = ("head", "norm", "all")
NORM_LAYERS = ("all", "paper", "stem", "last")
NORM_STATS = ("frozen", "batch", "recalibrate")
_STAGE = re.compile(r"stage:([1-9][0-9]*)")


def stage_number(text: object) -> int | None:
    """K of `stage:K`, None for whatever else."""
    match = _STAGE.fullmatch(text) if isinstance(text, str) else None
    return int(match.group(1)) if match else None


def check_norm_layers(policy: object) -> None:
    """Refuse what selects no norm layers.

    Raises:
        UserError: It is not one of `NORM_LAYERS` or `stage:K`.
    """
    if policy not in NORM_LAYERS and stage_number(policy) is None:
        raise UserError(f"norm_layers of a phase must be one of {', '.join(NORM_LAYERS)}, stage:K, got {policy!r}")


@dataclass(frozen=True)
class Phase:
    """One phase of training: which parameters train and what the normalisation statistics do.

    The affine parameters of norm layers and their running statistics are two independent switches. The head is a
    separate module outside the backbone and trains in every phase.

    Attributes:
        train: Which parameters of the backbone train: `head` (none of them), `norm` (the affine parameters of the
            selected norm layers), `stage:K` (everything from stage K up, K counted from 1) or `all`.
        norm_layers: Which norm layers are selected: `all`, `paper` (in a bottleneck ResNet the stem's norm and the
            second and third norm of every block), `stem`, `stage:K` (those of stage K alone) or `last` (the last layer
            that the network registers). With `stage:K` as `train` only those from stage K up. A norm layer that is not
            selected is frozen altogether, affine parameters and statistics, whatever else trains.
        norm_stats: Running statistics of the selected norm layers: `frozen` (eval mode), `batch` (train mode: batches
            are normalised with their own statistics and the running ones follow) or `recalibrate` (re-estimated once
            on the task's training images when the phase starts, then frozen).
        epochs: Number of epochs; None for the recipe's.
        lr_scale: Factor on the recipe's learning rate.

    Raises:
        UserError: A value is not one of those allowed.
    """

    train: str
    norm_layers: str = "all"
    norm_stats: str = "frozen"
    epochs: int | None = None
    lr_scale: float = 1.0

    def __post_init__(self) -> None:
        """Refuse values that no phase can have."""
        if self.train not in _TRAIN and stage_number(self.train) is None:
            raise UserError(f"train of a phase must be head, norm, stage:K with K from 1, or all, got {self.train!r}")
        check_norm_layers(self.norm_layers)
        if self.norm_stats not in NORM_STATS:
            raise UserError(f"norm_stats of a phase must be one of {', '.join(NORM_STATS)}, got {self.norm_stats!r}")
        if self.epochs is not None and (type(self.epochs) is not int or self.epochs < 1):
            raise UserError(f"epochs of a phase must be a whole number from 1 or None, got {self.epochs!r}")
        if not (isinstance(self.lr_scale, int | float) and math.isfinite(self.lr_scale) and self.lr_scale > 0):
            raise UserError(f"lr_scale of a phase must be a finite number above 0, got {self.lr_scale!r}")

    @property
    def first_stage(self) -> int | None:
        """K of `stage:K`, None for the other choices of `train`."""
        return stage_number(self.train)


@dataclass(frozen=True)
class Protocol:
    """How a checkpoint is adapted to a task.

    Attributes:
        name: Short name, as used in configs and results.
        phases: The phases in order; each has its own optimiser.
        published_as: What the literature calls it.

    Raises:
        UserError: There is no phase, or one of them is not a `Phase`.
    """

    name: str
    phases: tuple[Phase, ...]
    published_as: str = ""

    def __post_init__(self) -> None:
        """Refuse an empty or malformed list of phases."""
        if not isinstance(self.phases, tuple) or not all(isinstance(phase, Phase) for phase in self.phases):
            raise UserError(f"phases of protocol {self.name!r} must be a tuple of Phase, got {self.phases!r}")
        if not self.phases:
            raise UserError(f"protocol {self.name!r} has no phase; give it at least one")

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Protocol":
        """Build a protocol from `dict(name=..., phases=[dict(train=...), ...])`, as a configuration defines one.

        Raises:
            UserError: Something is missing, unknown or not one of the allowed values.
        """
        phases = config.get("phases")
        known = {entry.name for entry in fields(cls)}
        if not isinstance(config.get("name"), str) or not isinstance(phases, list | tuple) or set(config) - known:
            raise UserError(f"a protocol must be a name or dict(name=..., phases=[...]), got {dict(config)!r}")
        return cls(**{**config, "phases": tuple(_phase(phase) for phase in phases)})


def _phase(config: object) -> Phase:
    if isinstance(config, Phase):
        return config
    known = {entry.name for entry in fields(Phase)}
    if not isinstance(config, Mapping) or "train" not in config or set(config) - known:
        raise UserError(
            f"a phase must be dict(train=...), with or without {choices(known - {'train'})}, got {config!r}"
        )
    return Phase(**config)
