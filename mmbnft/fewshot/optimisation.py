"""What a recipe means for episodes: which settings they use, and how the parameters of an episode are trained."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmbnft.fewshot.heads import build_optimizer
from mmbnft.recipes.recipe import Recipe
from mmbnft.recipes.settings import stated
from mmbnft.utils.errors import UserError, choices

IMAGES = frozenset({"test_pipeline"})
TRAINING = frozenset({"optimizer", "steps", "epochs", "batch_size", "search"})
USED = IMAGES | TRAINING | {"name", "remark", "probe"}
Trial = dict[str, float]


@dataclass(frozen=True)
class Optimisation:
    """How the parameters of some episodes are trained.

    Attributes:
        optimizer: `type` and arguments; the learning rate is constant.
        steps: Number of steps.
        batches: int64 (steps, E, B) support images of each step; None where every step takes all.
    """

    optimizer: dict[str, Any]
    steps: int
    batches: Tensor | None

    @classmethod
    def of(cls, recipe: Recipe, trial: Trial, images: int, seed: int, episodes: range) -> "Optimisation":
        """What a recipe says.

        An episode's batches depend on the seed and its own number only, not on what it is computed together with.

        Args:
            recipe: The recipe.
            trial: Values that take the place of the recipe's, one of its `trials`.
            images: Support images M of an episode.
            seed: Seed of the orders.
            episodes: Numbers of the episodes.
        """
        optimizer = recipe.optimizer_arguments(trial)
        size = min(recipe.batch_size or images, images)
        per_epoch = -(-images // size)
        steps = int(trial["steps"]) if "steps" in trial else recipe.phase_steps(per_epoch)
        if size == images:
            return cls(optimizer, steps, None)
        orders = [_order(images, size, per_epoch, steps, np.random.default_rng([seed, number])) for number in episodes]
        return cls(optimizer, steps, torch.from_numpy(np.stack(orders, axis=1)))


def _order(images: int, size: int, per_epoch: int, steps: int, random: np.random.Generator) -> np.ndarray:
    """(steps, size) image numbers, epoch by epoch."""
    epochs = -(-steps // per_epoch)
    rows = [np.resize(random.permutation(images), per_epoch * size).reshape(per_epoch, size) for _ in range(epochs)]
    return np.concatenate(rows)[:steps]


def penalties(recipe: Recipe) -> list[Trial]:
    """What logistic regression can choose from: the weight decays of the recipe's probe, or 1 without one."""
    return [{"penalty": float(value)} for value in (recipe.probe or {"weight_decays": [1.0]})["weight_decays"]]


def check_for_episodes(recipe: Recipe) -> None:
    """Refuse a recipe that says what episodes do not do, or whose optimiser they cannot use.

    Raises:
        UserError: See above; or methods would have unequal choices.
    """
    idle = set(stated(recipe)) - USED
    if idle:
        raise UserError(
            f"recipe {recipe.name!r} sets {choices(idle)}, which episodes do not use (their images are those of "
            f"test_pipeline, their learning rate is constant); leave it out, allowed are {choices(USED)}"
        )
    if recipe.probe is not None and recipe.probe["solver"] != "convex":
        raise UserError(f"solver of the probe of recipe {recipe.name!r} must be 'convex' for episodes")
    trials = recipe.trials()
    if len(penalties(recipe)) != len(trials):
        raise UserError(
            f"recipe {recipe.name!r} must try as many weight_decays of its probe as other trials, so that every method "
            f"has the same choice, got {len(penalties(recipe))} and {len(trials)}"
        )
    for trial in trials:
        try:
            build_optimizer([torch.zeros(1, requires_grad=True)], recipe.optimizer_arguments(trial))
        except UserError as error:
            raise UserError(f"optimizer of recipe {recipe.name!r}: {error}") from error
