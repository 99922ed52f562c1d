"""The methods by name, and what each of them needs; one on frozen features is one entry of `ON_FEATURES`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from mmbnft.evaluation.solvers.episodes import fit_episodes
from mmbnft.fewshot.heads import fit_linear, linear_scores, nearest_mean
from mmbnft.fewshot.optimisation import IMAGES, TRAINING, Optimisation, Trial, penalties
from mmbnft.fewshot.sequential import episode_phase
from mmbnft.protocols.protocol import NORM_STATS
from mmbnft.recipes.recipe import Recipe
from mmbnft.recipes.settings import stated
from mmbnft.utils.errors import UserError, choices


@dataclass(frozen=True)
class Support:
    """The support features of some episodes.

    Attributes:
        features: (E, M, D).
        labels: int64 (E, M) in 0..ways-1.
        ways: Number of classes.
    """

    features: Tensor
    labels: Tensor
    ways: int


# From features (E, Q, D) to scores (E, Q, N).
Classify = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class FeatureMethod:
    """A method on frozen features.

    Attributes:
        fit: From the support, a trial and how to train (None for a method that does not) to a classifier.
        candidates: What there is to choose from under a recipe.
        settings: Names of the settings of a recipe, beyond the images', that can change what it reaches.
    """

    fit: Callable[[Support, Trial, Callable[[], Optimisation]], Classify]
    candidates: Callable[[Recipe], list[Trial]]
    settings: frozenset[str] = frozenset()


def _nearest_mean(support: Support, _trial: Trial, _optimisation: Callable[[], Optimisation]) -> Classify:
    return lambda features: nearest_mean(support.features, support.labels, features, support.ways)


def _logistic(support: Support, trial: Trial, _optimisation: Callable[[], Optimisation]) -> Classify:
    exact = fit_episodes(support.features.double(), support.labels, support.ways, trial["penalty"])
    return lambda features: linear_scores(features.double(), *exact)


def _linear(support: Support, _trial: Trial, optimisation: Callable[[], Optimisation]) -> Classify:
    how = optimisation()
    head = fit_linear(support.features, support.labels, support.ways, how.optimizer, how.steps, how.batches)
    return lambda features: linear_scores(features, *head)


ON_FEATURES = {
    "nearest_mean": FeatureMethod(_nearest_mean, lambda recipe: [{}]),
    "logistic": FeatureMethod(_logistic, penalties, frozenset({"probe"})),
    "linear": FeatureMethod(_linear, Recipe.trials, TRAINING),
}


@dataclass(frozen=True)
class Method:
    """How a checkpoint is adapted to the support set of an episode.

    Attributes:
        name: A name of `ON_FEATURES`; or a protocol of one phase such as `bn`, `bn_paper` or `finetune`, with frozen
            statistics unless `@batch` or `@recalibrate` follows.
        protocol: The protocol; None for a method on frozen features.
        norm_stats: What normalisation statistics do: `frozen` (those of the checkpoint), `batch` or `recalibrate`
            (those of the support set). Never those of queries.
    """

    name: str
    protocol: str | None = None
    norm_stats: str = "frozen"

    @classmethod
    def named(cls, name: str) -> "Method":
        """Look a method up.

        Raises:
            UserError: There is no such method.
        """
        if name in ON_FEATURES:
            return cls(name)
        protocol, _, stats = str(name).partition("@")
        try:
            episode_phase(protocol, stats or "frozen")
        except UserError as error:
            raise UserError(
                f"{name!r} is not a few-shot method: {error}; methods on frozen features are {choices(ON_FEATURES)}, "
                f"others are protocols of one phase with @ and one of {choices(NORM_STATS)}, or with frozen statistics"
            ) from error
        return cls(name, protocol, stats or "frozen")

    def candidates(self, recipe: Recipe) -> list[Trial]:
        """What there is to choose from under a recipe."""
        return recipe.trials() if self.protocol is not None else ON_FEATURES[self.name].candidates(recipe)

    @property
    def settings(self) -> frozenset[str]:
        """Names of the settings of a recipe that can change what the method reaches."""
        return IMAGES | (TRAINING if self.protocol is not None else ON_FEATURES[self.name].settings)

    @property
    def adaptation(self) -> Any:
        """What a key says of the method, apart from the settings."""
        return self.name if self.protocol is None else stated(episode_phase(self.protocol, self.norm_stats))
