"""Settings by what they decide; an arm names the groups it uses, and only they enter the keys of its results.

Execution (device, data-loading processes, cache, memory) is no setting: it stands in `RunOptions`.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from mmbnft.recipes.halving import Ladder
from mmbnft.utils.errors import UserError, choices

FIT_ON = ("train", "trainval")
PROBE_SOLVERS = ("convex", "sklearn")
PROBE_SETTINGS = ("solver", "weight_decays")
HALVING_SETTINGS = ("factor", "rungs")
CHECKPOINT = "checkpoint"
CHANNEL_ORDERS = ("rgb", "bgr")
PRECISIONS = ("float32", "bfloat16")
Transforms = list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Images:
    """Which images are fitted on, and how an image is handed to the network where nothing is drawn at random.

    Attributes:
        test_pipeline: Transforms for evaluation and features before conversion and normalisation, which come by
            themselves.
        normalisation: `checkpoint` for the statistics the checkpoint was pre-trained with, or `dict(mean=[...],
            std=[...])`, three numbers each on a 0..1 scale, which meet the channels by position.
        channel_order: `rgb`, or `bgr` to hand images to normalisation and network with their channels reversed.
        fit_on: What the reported weights, or a training-free score, see: `trainval` or `train`. A search trains its
            trials on train.
    """

    test_pipeline: Transforms = field(default_factory=list)
    normalisation: str | dict[str, list[float]] = CHECKPOINT
    channel_order: str = "rgb"
    fit_on: str = "trainval"

    def check_images(self, owner: str) -> None:
        """Refuse values that no run could use; `owner` is what messages call the recipe."""
        _check_one_of(self, owner, fit_on=FIT_ON, channel_order=CHANNEL_ORDERS)
        given = self.normalisation
        if given == CHECKPOINT:
            return
        if not isinstance(given, dict) or set(given) != {"mean", "std"}:
            raise UserError(
                f"normalisation of {owner} must be {CHECKPOINT!r} or dict(mean=[...], std=[...]), got {given!r}"
            )
        for name, check in (("mean", is_number), ("std", is_rate)):
            values = given[name]
            if not isinstance(values, list | tuple) or len(values) != 3 or not all(check(value) for value in values):
                raise UserError(
                    f"{name} in the normalisation of {owner} must be three numbers on a 0..1 scale"
                    f"{', none of them 0' if name == 'std' else ''}, got {values!r}"
                )


@dataclass(frozen=True, kw_only=True)
class Training:
    """How the parameters of a phase are trained.

    Attributes:
        batch_size: Images per step over all processes together. An epoch is ceil(N / batch_size) full batches; the
            last is filled up from the epoch's own beginning. Never more than the number of training images; None for
            all of them.
        optimizer: Type and arguments of an optimiser of the host's registry, `lr` among them.
        epochs: Epochs of a phase that does not set its own; either this or `steps`.
        steps: Steps of such a phase in the place of epochs; the last epoch ends with the last step.
        lr_config: Schedule of the host's learning-rate hooks, or None for a constant learning rate.
        train_pipeline: Transforms of a training image before conversion and normalisation.
        norm_before_classifier: Whether the head normalises the pooled features by a BatchNorm1d that trains with it.
        weight_decay_over_lr: Whether the optimiser gets the weight decay divided by the learning rate, so that what a
            step takes off the weights does not depend on the learning rate.
        grad_clip: Arguments of gradient clipping (`max_norm`), or None.
        stored_side: Pixels to which the shorter side of a larger training image is reduced before `train_pipeline`, so
            that random crops are taken from a smaller image, which costs less; see docs/images.md for what it changes.
            None: from the original.
        precision: `float32`, or `bfloat16` to let the backbone multiply in bfloat16 (torch's automatic mixed precision)
            in training and evaluation, on a GPU only. Weights, statistics, the head and features of a frozen backbone
            that are computed once stay float32.
    """

    batch_size: int | None = None
    optimizer: dict[str, Any]
    epochs: int | None = None
    steps: int | None = None
    lr_config: dict[str, Any] | None = None
    train_pipeline: Transforms = field(default_factory=list)
    norm_before_classifier: bool = False
    weight_decay_over_lr: bool = False
    grad_clip: dict[str, Any] | None = None
    stored_side: int | None = None
    precision: str = "float32"

    def check_training(self, owner: str) -> None:
        """Refuse values that no run could use; `owner` is what messages call the recipe."""
        if (self.epochs is None) == (self.steps is None):
            raise UserError(
                f"{owner} needs either epochs or steps, got epochs={self.epochs} and steps={self.steps}; "
                "set one of them and leave the other None"
            )
        for name in ("epochs", "steps", "batch_size"):
            value = getattr(self, name)
            if value is not None and not _is_whole(value, 1):
                raise UserError(f"{name} of {owner} must be a whole number from 1, got {value!r}")
        for name in ("norm_before_classifier", "weight_decay_over_lr"):
            if not isinstance(getattr(self, name), bool):
                raise UserError(f"{name} of {owner} must be True or False, got {getattr(self, name)!r}")
        _check_one_of(self, owner, precision=PRECISIONS)
        if self.stored_side is not None and not _is_whole(self.stored_side, 1):
            raise UserError(
                f"stored_side of {owner} must be None or a whole number of pixels from 1, got {self.stored_side!r}"
            )
        if "type" not in self.optimizer or not is_rate(self.optimizer.get("lr")):
            raise UserError(f"optimizer of {owner} needs a type and a positive lr, got {self.optimizer!r}")

    @property
    def training_steps(self) -> Transforms:
        """Transforms of a training image, the reduction to `stored_side` among them."""
        shrink = [{"type": "BnftShrink", "side": self.stored_side}] if self.stored_side else []
        return [*shrink, *self.train_pipeline]

    @property
    def length(self) -> int:
        """Epochs or steps of a phase that does not set its own."""
        length = self.epochs or self.steps
        assert length is not None  # checked on construction
        return length

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


@dataclass(frozen=True, kw_only=True)
class Search:
    """What is tried on val.

    Attributes:
        search: Values to try, e.g. `dict(lr=[0.01, 0.1])`; every combination is one trial. Empty: no search.
            `steps`, in the place of the recipe's, is for few-shot episodes alone.
        halving: `dict(factor=F, rungs=R)` searches in R rounds: the best one in F of a round's trials enters the next,
            F times as long, the last as long as the recipe says. None: every trial is trained for that long.
    """

    search: dict[str, list[float]] = field(default_factory=dict)
    halving: dict[str, int] | None = None

    def check_search(self, owner: str) -> None:
        """Refuse values that no run could use; `owner` is what messages call the recipe."""
        if not isinstance(self.search, dict):
            raise UserError(
                f"search of {owner} must be a dict of lists, such as dict(lr=[0.01, 0.1]), got {self.search!r}"
            )
        for name, values in self.search.items():
            check = _CHECKS.get(name)
            if check is None or not isinstance(values, list | tuple) or not values or not all(map(check, values)):
                raise UserError(
                    f"search of {owner} takes non-empty lists of numbers for {choices(_CHECKS)}, every lr positive and "
                    f"steps whole, got {name}={values!r}"
                )
        halving = self.halving
        if halving is None:
            return
        values = list(halving.values()) if isinstance(halving, dict) and set(halving) == set(HALVING_SETTINGS) else []
        if not values or not all(_is_whole(value, 2) for value in values):
            raise UserError(
                f"halving of {owner} needs exactly {choices(HALVING_SETTINGS)}, whole numbers from 2, got {halving!r}"
            )

    def trials(self) -> list[dict[str, float]]:
        """Every combination of the searched values; [{}] without a search."""
        names = list(self.search)
        return [dict(zip(names, values, strict=True)) for values in itertools.product(*(self.search[n] for n in names))]

    def ladder(self, length: int) -> Ladder:
        """The rounds of the search.

        Args:
            length: Epochs or steps of a whole training.
        """
        return Ladder.build(len(self.trials()), length, **(self.halving or {}))


@dataclass(frozen=True, kw_only=True)
class Probe:
    """How `linear` is solved instead of trained.

    Attributes:
        probe: `dict(solver="convex" | "sklearn", weight_decays=[...])` stands for L2-regularised logistic regression on
            the frozen backbone's features of unaugmented images, the weight decay chosen on val from the whole list
            (C = 1 / weight_decay). None: `linear` is trained like every other protocol.
    """

    probe: dict[str, Any] | None = None

    def check_probe(self, owner: str) -> None:
        """Refuse values that no run could use; `owner` is what messages call the recipe."""
        probe = self.probe
        if probe is None:
            return
        if not isinstance(probe, dict) or set(probe) != set(PROBE_SETTINGS):
            raise UserError(f"probe of {owner} needs exactly {choices(PROBE_SETTINGS)}, got {probe!r}")
        if probe["solver"] not in PROBE_SOLVERS:
            raise UserError(
                f"solver of the probe of {owner} must be one of {choices(PROBE_SOLVERS)}, got {probe['solver']!r}"
            )
        grid = probe["weight_decays"]
        if not isinstance(grid, list | tuple) or not grid or not all(is_rate(value) for value in grid):
            raise UserError(
                f"weight_decays of the probe of {owner} must be a non-empty list of positive numbers, got {grid!r}"
            )


def stated(settings: Any, names: Collection[str] | None = None) -> dict[str, Any]:
    """What a dataclass says beyond its defaults, for a key: a setting added later, at its default, changes no key.

    A default that is changed gives old keys another meaning, so the version of results has to be raised with it.

    Args:
        settings: An instance of a dataclass.
        names: Fields that count; all by default.
    """
    found = {}
    for entry in dataclasses.fields(settings):
        factory: Callable[[], Any] | Any = entry.default_factory
        default = entry.default if factory is dataclasses.MISSING else factory()
        value = getattr(settings, entry.name)
        if (names is None or entry.name in names) and (default is dataclasses.MISSING or value != default):
            found[entry.name] = value
    return found


def names_of(*groups: type) -> frozenset[str]:
    """Names of the settings of some groups."""
    return frozenset(entry.name for group in groups for entry in dataclasses.fields(group))


def _check_one_of(settings: object, owner: str, **allowed: tuple[str, ...]) -> None:
    for name, values in allowed.items():
        if getattr(settings, name) not in values:
            raise UserError(f"{name} of {owner} must be one of {choices(values)}, got {getattr(settings, name)!r}")


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def is_number(value: object) -> bool:
    """Whether `value` is a finite number from 0."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def is_rate(value: object) -> bool:
    """Whether `value` is a finite number above 0."""
    return is_number(value) and value != 0


def _is_steps(value: object) -> bool:
    return _is_whole(value, 1)


# What can be searched, and what a value of it has to be.
_CHECKS: dict[str, Callable[[object], bool]] = {"lr": is_rate, "weight_decay": is_number, "steps": _is_steps}
