"""A recipe: optimiser, schedule, length, batch size, images, and the grid searched on val."""

import copy
import dataclasses
import itertools
import math
from dataclasses import dataclass, field
from typing import Any

from mmbnft.evaluation.halving import Ladder
from mmbnft.utils.errors import UserError, choices

FIT_ON = ("train", "trainval")
SEARCHABLE = ("lr", "weight_decay")
PROBE_SOLVERS = ("convex", "sklearn")
PROBE_SETTINGS = ("solver", "weight_decays")
HALVING_SETTINGS = ("factor", "rungs")
CHECKPOINT = "checkpoint"
CHANNEL_ORDERS = ("rgb", "bgr")
PRECISIONS = ("float32", "bfloat16")
WORKERS_MOVED = (
    "workers is no setting of a recipe, because results do not depend on it; remove it from the recipe, and give the "
    "number of data-loading processes as --workers of tools/train.py"
)


@dataclass(frozen=True)
class Recipe:
    """How every phase of a protocol is trained.

    Attributes:
        name: Recipe name, as it appears in results.
        batch_size: Images per step over all processes together. An epoch is ceil(N / batch_size) full batches; the
            last is filled up from the epoch's own beginning. Never more than the number of training images.
        optimizer: Type and arguments of an optimiser of the host's registry, `lr` among them.
        epochs: Epochs of a phase that does not set its own; either this or `steps`.
        steps: Steps of such a phase in the place of epochs; the last epoch ends with the last step.
        lr_config: Schedule of the host's learning-rate hooks, or None for a constant rate.
        train_pipeline: Transforms of a training image before conversion and normalisation, which come by themselves.
        test_pipeline: The same for evaluation.
        normalisation: `checkpoint` for the statistics the checkpoint was pre-trained with, or `dict(mean=[...],
            std=[...])`, three numbers each on a 0..1 scale, which meet the channels by position.
        channel_order: `rgb`, or `bgr` to hand images to normalisation and network with their channels reversed.
        norm_before_classifier: Whether the head normalises the pooled features by a BatchNorm1d that trains with it.
        search: Values to try on val, e.g. `dict(lr=[0.01, 0.1])`; every combination is one trial. Empty: no search.
        halving: `dict(factor=F, rungs=R)` searches in R rounds: the best one in F of a round's trials enters the next,
            F times as long, the last as long as the recipe says. None: every trial is trained for that long.
        weight_decay_over_lr: Whether the optimiser gets the weight decay divided by the learning rate, so that what a
            step takes off the weights does not depend on the rate.
        fit_on: What the reported weights are trained on: `trainval` or `train`. A search trains its trials on train.
        val_interval: Epochs between two readings of val in a trial or with fit_on='train'; 0 reads it at the end only.
        grad_clip: Arguments of gradient clipping (`max_norm`), or None.
        probe: How the `linear` protocol is solved instead of trained: `dict(solver="convex" | "sklearn",
            weight_decays=[...])` stands for L2-regularised logistic regression on the frozen backbone's features of
            unaugmented images, the weight decay chosen on val from the whole list (C = 1 / weight_decay). None: it is
            trained like every other protocol.
        remark: What a reader of the result has to know about these settings; changes nothing.
        stored_side: Pixels to which the shorter side of a larger training image is reduced before `train_pipeline`, so
            that random crops are taken from a smaller image, which costs less; see docs/images.md for what it changes.
            None: from the original.
        precision: `float32`, or `bfloat16` to let the backbone multiply in bfloat16 (torch's automatic mixed precision)
            in training and evaluation, on a GPU only. Weights, statistics, the head and features of a frozen backbone
            that are computed once stay float32.

    Raises:
        UserError: A value is out of range.
    """

    name: str
    batch_size: int
    optimizer: dict[str, Any]
    epochs: int | None = None
    steps: int | None = None
    lr_config: dict[str, Any] | None = None
    train_pipeline: list[dict[str, Any]] = field(default_factory=list)
    test_pipeline: list[dict[str, Any]] = field(default_factory=list)
    normalisation: str | dict[str, list[float]] = CHECKPOINT
    channel_order: str = "rgb"
    norm_before_classifier: bool = False
    search: dict[str, list[float]] = field(default_factory=dict)
    halving: dict[str, int] | None = None
    weight_decay_over_lr: bool = False
    fit_on: str = "trainval"
    val_interval: int = 0
    grad_clip: dict[str, Any] | None = None
    probe: dict[str, Any] | None = None
    remark: str = ""
    stored_side: int | None = None
    precision: str = "float32"

    def __post_init__(self) -> None:
        """Refuse values no run could use."""
        if (self.epochs is None) == (self.steps is None):
            raise UserError(
                f"recipe {self.name!r} needs either epochs or steps, got epochs={self.epochs} and steps={self.steps}; "
                "set one of them and leave the other None"
            )
        for name, least in (("epochs", 1), ("steps", 1), ("batch_size", 1), ("val_interval", 0)):
            value = getattr(self, name)
            if value is None and name in ("epochs", "steps"):
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise UserError(f"{name} of recipe {self.name!r} must be a whole number from {least}, got {value!r}")
        for name in ("norm_before_classifier", "weight_decay_over_lr"):
            if not isinstance(getattr(self, name), bool):
                raise UserError(f"{name} of recipe {self.name!r} must be True or False, got {getattr(self, name)!r}")
        for name, allowed in (("fit_on", FIT_ON), ("channel_order", CHANNEL_ORDERS), ("precision", PRECISIONS)):
            if getattr(self, name) not in allowed:
                raise UserError(
                    f"{name} of recipe {self.name!r} must be one of {choices(allowed)}, got {getattr(self, name)!r}"
                )
        side = self.stored_side
        if side is not None and (not isinstance(side, int) or isinstance(side, bool) or side < 1):
            raise UserError(
                f"stored_side of recipe {self.name!r} must be None or a whole number of pixels from 1, got {side!r}"
            )
        self._check_optimizer()
        self._check_normalisation()
        if self.halving is not None:
            self._check_halving(self.halving)
        if self.probe is not None:
            self._check_probe(self.probe)

    def _check_optimizer(self) -> None:
        if "type" not in self.optimizer or not _is_rate(self.optimizer.get("lr")):
            raise UserError(f"optimizer of recipe {self.name!r} needs a type and a positive lr, got {self.optimizer!r}")
        for name, values in self.search.items():
            check = _is_rate if name == "lr" else _is_number
            if name not in SEARCHABLE or not values or not all(check(value) for value in values):
                raise UserError(
                    f"search of recipe {self.name!r} takes non-empty lists of numbers for {choices(SEARCHABLE)}, "
                    f"every lr positive, got {name}={values!r}"
                )

    def _check_halving(self, halving: dict[str, int]) -> None:
        values = list(halving.values()) if isinstance(halving, dict) and set(halving) == set(HALVING_SETTINGS) else []
        if not values or not all(isinstance(v, int) and not isinstance(v, bool) and v >= 2 for v in values):
            raise UserError(
                f"halving of recipe {self.name!r} needs exactly {choices(HALVING_SETTINGS)}, whole numbers from 2, "
                f"got {halving!r}"
            )

    def _check_normalisation(self) -> None:
        given = self.normalisation
        if given == CHECKPOINT:
            return
        if not isinstance(given, dict) or set(given) != {"mean", "std"}:
            raise UserError(
                f"normalisation of recipe {self.name!r} must be {CHECKPOINT!r} or dict(mean=[...], std=[...]), "
                f"got {given!r}"
            )
        for name, check in (("mean", _is_number), ("std", _is_rate)):
            values = given[name]
            if not isinstance(values, list | tuple) or len(values) != 3 or not all(check(value) for value in values):
                raise UserError(
                    f"{name} in the normalisation of recipe {self.name!r} must be three numbers on a 0..1 scale"
                    f"{', none of them 0' if name == 'std' else ''}, got {values!r}"
                )

    def _check_probe(self, probe: dict[str, Any]) -> None:
        if not isinstance(probe, dict) or set(probe) != set(PROBE_SETTINGS):
            raise UserError(f"probe of recipe {self.name!r} needs exactly {choices(PROBE_SETTINGS)}, got {probe!r}")
        if probe["solver"] not in PROBE_SOLVERS:
            raise UserError(
                f"solver of the probe of recipe {self.name!r} must be one of {choices(PROBE_SOLVERS)}, "
                f"got {probe['solver']!r}"
            )
        grid = probe["weight_decays"]
        if not isinstance(grid, list | tuple) or not grid or not all(_is_rate(value) for value in grid):
            raise UserError(
                f"weight_decays of the probe of recipe {self.name!r} must be a non-empty list of positive numbers, "
                f"got {grid!r}"
            )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Recipe":
        """Build a recipe from a configuration that spells it out.

        Raises:
            UserError: A setting is unknown, missing or out of range.
        """
        known = {entry.name for entry in dataclasses.fields(cls)}
        unknown = set(config) - known
        if "workers" in unknown:
            raise UserError(WORKERS_MOVED)
        if unknown:
            raise UserError(f"unknown recipe settings {choices(unknown)}; allowed: {choices(known)}")
        try:
            return cls(**config)
        except TypeError as error:
            raise UserError(f"the recipe is incomplete: {error}") from error

    def changed(self, changes: dict[str, Any]) -> "Recipe":
        """This recipe with some settings replaced; its remark names them.

        Args:
            changes: The new values. Dictionaries are replaced entry by entry; an empty one empties.

        Raises:
            UserError: A setting is unknown or out of range.
        """
        remark = "; ".join(part for part in (self.remark, f"changed: {choices(changes)}") if part)
        return Recipe.from_config(_merged({**dataclasses.asdict(self), "remark": remark}, changes))

    @property
    def training_steps(self) -> list[dict[str, Any]]:
        """Transforms of a training image, the reduction to `stored_side` among them."""
        shrink = [{"type": "BnftShrink", "side": self.stored_side}] if self.stored_side else []
        return [*shrink, *self.train_pipeline]

    def trials(self) -> list[dict[str, float]]:
        """Every combination of the searched values; [{}] without a search."""
        names = list(self.search)
        return [dict(zip(names, values, strict=True)) for values in itertools.product(*(self.search[n] for n in names))]

    @property
    def length(self) -> int:
        """Epochs or steps of a phase that does not set its own."""
        length = self.epochs or self.steps
        assert length is not None  # checked on construction
        return length

    def shortened(self, length: int) -> "Recipe":
        """This recipe for another number of epochs or steps."""
        return dataclasses.replace(self, epochs=length) if self.epochs else dataclasses.replace(self, steps=length)

    def ladder(self) -> Ladder:
        """The rounds of its search."""
        return Ladder.build(len(self.trials()), self.length, **(self.halving or {}))

    def phase_steps(self, epoch_length: int, epochs: int | None = None) -> int:
        """Steps of a phase.

        Args:
            epoch_length: Steps of an epoch.
            epochs: The phase's own number of epochs, if it sets one.
        """
        if epochs is None:
            epochs = self.epochs
        if epochs is not None:
            return epochs * epoch_length
        assert self.steps is not None  # checked on construction
        return self.steps

    def optimizer_arguments(self, trial: dict[str, float], lr_scale: float = 1.0) -> dict[str, Any]:
        """Type and arguments of the optimiser of one phase.

        Args:
            trial: One of `trials`.
            lr_scale: The phase's factor on the learning rate.
        """
        arguments = {**copy.deepcopy(self.optimizer), **trial}
        arguments["lr"] *= lr_scale
        if self.weight_decay_over_lr:
            arguments["weight_decay"] = arguments.get("weight_decay", 0.0) / arguments["lr"]
        return arguments


def _merged(settings: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = dict(settings)
    for name, value in changes.items():
        entries = isinstance(value, dict) and value and isinstance(settings.get(name), dict)
        merged[name] = _merged(settings[name], value) if entries else value
    return merged


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _is_rate(value: object) -> bool:
    return _is_number(value) and value != 0
