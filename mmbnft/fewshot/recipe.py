"""How episodes are adapted to: steps, optimiser, and the values tried on validation episodes."""

import dataclasses
import itertools
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmbnft.fewshot.heads import build_optimizer
from mmbnft.recipes.recipe import WORKERS_MOVED
from mmbnft.utils.errors import UserError, choices

SEARCHABLE = ("lr", "weight_decay", "steps")
Trial = dict[str, float]


@dataclass(frozen=True)
class FewShotRecipe:
    """One recipe for every method.

    Attributes:
        name: Recipe name, as it appears in results.
        steps: Optimiser steps of an episode; exactly one of `steps` and `epochs` is given.
        epochs: Passes over the support set of an episode.
        batch_size: Support images of a step; None or more than there are takes all of them. An epoch has
            ceil(M / batch_size) full batches; the last is filled up from the epoch's own beginning.
        optimizer: `type` (`SGD`, `Adam` or `AdamW`), `lr`, and further arguments of torch's class; the learning rate
            is constant.
        search: Values to choose from on validation episodes, by `lr`, `weight_decay` (of the optimiser) or `steps`;
            every combination is one trial. Empty: no search.
        penalties: Weights of the squared norm in logistic regression (1 / C of scikit-learn) to choose from; as many
            as there are trials, so that every method that has a choice has the same.
        test_pipeline: Transforms of an image before conversion and normalisation, which come by themselves.

    Raises:
        UserError: A value is out of range.
    """

    name: str
    optimizer: dict[str, Any]
    steps: int | None = None
    epochs: int | None = None
    batch_size: int | None = None
    search: dict[str, list[float]] = field(default_factory=dict)
    penalties: list[float] = field(default_factory=lambda: [1.0])
    test_pipeline: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuse what no method could use."""
        if (self.steps is None) == (self.epochs is None):
            raise UserError(f"recipe {self.name!r} needs either steps or epochs, got {self.steps} and {self.epochs}")
        for name, least in (("steps", 1), ("epochs", 1), ("batch_size", 1)):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < least):
                raise UserError(f"{name} of recipe {self.name!r} must be a whole number from {least}, got {value!r}")
        self._check_values("lr of the optimizer", [self.optimizer.get("lr")])
        self._check_values("penalties", self.penalties)
        for name, values in self.search.items():
            if name not in SEARCHABLE or (name == "steps" and self.steps is None):
                raise UserError(f"recipe {self.name!r} cannot search {name!r}; allowed: {choices(SEARCHABLE)}")
            self._check_values(f"search of {name}", values, zero=name == "weight_decay", whole=name == "steps")
        if len(self.penalties) != len(self.trials()):
            raise UserError(
                f"recipe {self.name!r} must try as many penalties as other trials, so that every method has the same "
                f"choice, got {len(self.penalties)} and {len(self.trials())}"
            )
        for trial in self.trials():
            self._check_optimizer(trial)

    def _check_optimizer(self, trial: Trial) -> None:
        """Build the optimiser of a trial once, so that what it refuses shows before anything runs."""
        try:
            build_optimizer([torch.zeros(1, requires_grad=True)], self.optimizer_of(trial))
        except UserError as error:
            raise UserError(f"optimizer of recipe {self.name!r}: {error}") from error

    def _check_values(self, what: str, values: Any, zero: bool = False, whole: bool = False) -> None:
        kind = int if whole else (int, float)
        if not isinstance(values, list | tuple) or not values or not all(
            isinstance(v, kind) and not isinstance(v, bool) and math.isfinite(v) and (v > 0 or (zero and v == 0))
            for v in values
        ):  # fmt: skip
            raise UserError(
                f"{what} of recipe {self.name!r} must be {'whole' if whole else 'finite'} numbers "
                f"{'from' if zero else 'above'} 0, got {values!r}"
            )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "FewShotRecipe":
        """Build a recipe from a configuration.

        Raises:
            UserError: A setting is unknown, missing or out of range.
        """
        known = {entry.name for entry in dataclasses.fields(cls)}
        if "workers" in config:
            raise UserError(WORKERS_MOVED)
        if set(config) - known:
            raise UserError(
                f"unknown few-shot recipe settings {choices(set(config) - known)}; allowed: {choices(known)}"
            )
        try:
            return cls(**config)
        except TypeError as error:
            raise UserError(f"the few-shot recipe is incomplete: {error}") from error

    def trials(self) -> list[Trial]:
        """Every combination of the searched values; [{}] without a search."""
        names = list(self.search)
        return [dict(zip(names, values, strict=True)) for values in itertools.product(*(self.search[n] for n in names))]

    def optimizer_of(self, trial: Trial) -> dict[str, Any]:
        """The optimiser of a trial."""
        return {**self.optimizer, **{name: value for name, value in trial.items() if name != "steps"}}

    def batches(self, images: int, trial: Trial, seed: int, episodes: range) -> tuple[int, Tensor | None]:
        """Steps of a trial, and the support images that each takes.

        An episode's batches depend on the seed and its own number only, not on what it is computed together with.

        Args:
            images: Support images M of an episode.
            trial: Overrides of the recipe.
            seed: Seed of the orders.
            episodes: Numbers of the episodes.

        Returns:
            The number of steps, and int64 (steps, E, B) or None where every step takes all images.
        """
        size = min(self.batch_size or images, images)
        per_epoch = -(-images // size)
        steps = int(trial["steps"]) if "steps" in trial else self.steps or self.epochs * per_epoch  # type: ignore[operator]
        if size == images:
            return steps, None
        orders = [_order(images, size, per_epoch, steps, np.random.default_rng([seed, number])) for number in episodes]
        return steps, torch.from_numpy(np.stack(orders, axis=1))


def _order(images: int, size: int, per_epoch: int, steps: int, random: np.random.Generator) -> np.ndarray:
    """(steps, size) image numbers, epoch by epoch."""
    epochs = -(-steps // per_epoch)
    rows = [np.resize(random.permutation(images), per_epoch * size).reshape(per_epoch, size) for _ in range(epochs)]
    return np.concatenate(rows)[:steps]
