"""A recipe: optimiser, schedule, epochs, batch size, augmentation, and the grid searched on val."""

import dataclasses
import itertools
import math
from dataclasses import dataclass, field
from typing import Any

from mmbnft.errors import UserError, choices

FIT_ON = ("train", "trainval")
SEARCHABLE = ("lr", "weight_decay")


@dataclass(frozen=True)
class Recipe:
    """How every phase of a protocol is trained.

    Attributes:
        name: Recipe name, as it appears in results.
        epochs: Epochs of a phase that does not set its own.
        batch_size: Images per step over all processes together. An epoch is ceil(N / batch_size) full batches; the
            last is filled up from the epoch's own beginning. Never more than the number of training images.
        optimizer: Type and arguments of an optimiser of the host's registry, `lr` among them.
        lr_config: Schedule of the host's learning-rate hooks, or None for a constant rate.
        train_pipeline: Transforms of a training image before conversion and normalisation, which come by themselves.
        test_pipeline: The same for evaluation.
        search: Values to try on val, e.g. `dict(lr=[0.01, 0.1])`; every combination is one trial. Empty: no search.
        fit_on: What the reported weights are trained on: `trainval` or `train`. A search trains its trials on train.
        val_interval: Epochs between two readings of val in a trial or with fit_on='train'; 0 reads it at the end only.
        grad_clip: Arguments of gradient clipping (`max_norm`), or None.
        workers: Data-loading processes for tasks that decode files.
        stored_side: Pixels to which the shorter side of a larger training image is reduced before `train_pipeline`, so
            that random crops are taken from a smaller image, which costs less; see docs/images.md for what it changes.
            None: from the original.

    Raises:
        UserError: A value is out of range.
    """

    name: str
    epochs: int
    batch_size: int
    optimizer: dict[str, Any]
    lr_config: dict[str, Any] | None = None
    train_pipeline: list[dict[str, Any]] = field(default_factory=list)
    test_pipeline: list[dict[str, Any]] = field(default_factory=list)
    search: dict[str, list[float]] = field(default_factory=dict)
    fit_on: str = "trainval"
    val_interval: int = 0
    grad_clip: dict[str, Any] | None = None
    workers: int = 0
    stored_side: int | None = None

    def __post_init__(self) -> None:
        """Refuse values no run could use."""
        for name, least in (("epochs", 1), ("batch_size", 1), ("val_interval", 0), ("workers", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise UserError(f"{name} of recipe {self.name!r} must be a whole number from {least}, got {value!r}")
        side = self.stored_side
        if side is not None and (not isinstance(side, int) or isinstance(side, bool) or side < 1):
            raise UserError(
                f"stored_side of recipe {self.name!r} must be None or a whole number of pixels from 1, got {side!r}"
            )
        if self.fit_on not in FIT_ON:
            raise UserError(f"fit_on of recipe {self.name!r} must be one of {choices(FIT_ON)}, got {self.fit_on!r}")
        if "type" not in self.optimizer or not _is_rate(self.optimizer.get("lr")):
            raise UserError(f"optimizer of recipe {self.name!r} needs a type and a positive lr, got {self.optimizer!r}")
        for name, values in self.search.items():
            if name not in SEARCHABLE or not values or not all(_is_number(value) for value in values):
                raise UserError(
                    f"search of recipe {self.name!r} takes non-empty lists of numbers for {choices(SEARCHABLE)}, "
                    f"got {name}={values!r}"
                )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Recipe":
        """Build a recipe from a configuration.

        Raises:
            UserError: A setting is unknown, missing or out of range.
        """
        known = {entry.name for entry in dataclasses.fields(cls)}
        unknown = set(config) - known
        if unknown:
            raise UserError(f"unknown recipe settings {choices(unknown)}; allowed: {choices(known)}")
        try:
            return cls(**config)
        except TypeError as error:
            raise UserError(f"the recipe is incomplete: {error}") from error

    @property
    def training_steps(self) -> list[dict[str, Any]]:
        """Transforms of a training image, the reduction to `stored_side` among them."""
        shrink = [{"type": "BnftShrink", "side": self.stored_side}] if self.stored_side else []
        return [*shrink, *self.train_pipeline]

    def trials(self) -> list[dict[str, float]]:
        """Every combination of the searched values, as arguments of the optimiser; [{}] without a search."""
        names = list(self.search)
        return [dict(zip(names, values, strict=True)) for values in itertools.product(*(self.search[n] for n in names))]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _is_rate(value: object) -> bool:
    return _is_number(value) and value != 0
