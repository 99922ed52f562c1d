"""The episodes of a manifest as an arm: what is fitted, on every episode anew, is a method under a trial."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmbnft.evaluation.arms.base import Arm, Prediction
from mmbnft.fewshot.adapters import episodes_at_once, make_adapter
from mmbnft.fewshot.batching import chunks
from mmbnft.fewshot.episode_images import EpisodeImages
from mmbnft.fewshot.intervals import mean_accuracy
from mmbnft.fewshot.manifest import Manifest
from mmbnft.fewshot.methods import ON_FEATURES, Method, Support
from mmbnft.fewshot.optimisation import Optimisation, Trial
from mmbnft.fewshot.sampling import Episodes
from mmbnft.recipes.halving import TrialRun
from mmbnft.recipes.recipe import Recipe
from mmbnft.utils.errors import DivergedError, UserError
from mmbnft.zoo.certificate import AnyCertificate

_FEATURE_VALUES = 1 << 26  # features of episodes worked on at once
_PARTS = {"val": "validation", "test": "test"}


@dataclass(frozen=True)
class Subject:
    """A checkpoint on the images of a manifest; what the methods share.

    Attributes:
        backbone: The bare backbone in eval mode.
        certificate: Its load certificate.
        network: What its network is, see `network_facts`.
        images: The images.
        features: Pooled features (n, D) of all of them.
        seconds: What loading and features took.
    """

    backbone: nn.Module
    certificate: AnyCertificate
    network: dict[str, Any]
    images: EpisodeImages
    features: Tensor
    seconds: float


@dataclass(frozen=True)
class Accuracies:
    """What a method reached on some episodes.

    Attributes:
        values: (E,) percent.
        diverged: Numbers of the episodes whose adaptation diverged.
    """

    values: np.ndarray
    diverged: list[int]


class EpisodesArm(Arm):
    """A method at work on the episodes of a manifest: chosen on its validation episodes, reported on its test episodes.

    A trial under which no validation episode diverges comes first, or else that with the fewest; among them the highest
    mean counts, then the lower learning rate.

    Args:
        method: The method.
        recipe: The recipe.
        manifest: The episodes.
        subject: The checkpoint.
        shares: Divides the number of episodes adapted to at a time, for little memory.
    """

    evaluated_on = "episodes"
    refit_on = "support"
    tie_breaker = "lr"

    def __init__(
        self,
        method: Method,
        recipe: Recipe,
        manifest: Manifest,
        subject: Subject,
        shares: int = 1,
    ) -> None:
        super().__init__()
        self.method, self.recipe, self.manifest, self.subject = method, recipe, manifest, subject
        self.shares = shares
        self.chosen_on = f"episodes of other {manifest.draw.apart_by}"
        self.ways, self.shots = manifest.settings.n_way, manifest.settings.k_shot
        self._trial: Trial = {}
        self._reached = Accuracies(np.empty(0), [])

    def candidates(self) -> list[Trial]:
        """What the method can choose from."""
        return self.method.candidates(self.recipe)

    def fit(self, candidate: Trial, split: str, due: TrialRun | None = None) -> dict[str, Any]:
        """Take a trial; the support set that it is fitted on is each episode's own."""
        self._trial = candidate
        return {}

    def predict(self, split: str) -> Prediction:
        """Mean accuracy on the validation (`val`) or test episodes.

        Raises:
            UserError: There is no validation episode.
            DivergedError: Every episode diverges.
        """
        if split == "val" and self.manifest.draw.validation is None:
            raise UserError("a recipe with a search needs validation episodes; set validation of the episodes above 0")
        self._reached = self.accuracies(_PARTS[split], self._trial)
        return Prediction(float(np.mean(self._reached.values)), details={"diverged": len(self._reached.diverged)})

    def preference(self, entry: dict[str, Any]) -> tuple[float, ...]:
        """The fewest diverged episodes, the highest mean, the lowest learning rate."""
        return -entry["diverged"], entry["val"], -entry.get("lr", 0.0)

    def details(self) -> dict[str, Any]:
        """Every test episode, those that diverged, and intervals of their mean."""
        mean = mean_accuracy(self._reached.values)
        return {
            "accuracies": [round(float(value), 9) for value in self._reached.values],
            "diverged_episodes": self._reached.diverged,
            "interval_95": mean.half_width,
            "bootstrap_95": [mean.low, mean.high],
        }

    def accuracies(self, part: str, trial: Trial) -> Accuracies:
        """Share of the queries of each episode that are classified correctly.

        An episode diverges if its adapted model gives a support image a score that is not finite: its queries have no
        say in that. It counts with the accuracy of chance, as a model that knows nothing.

        Raises:
            DivergedError: Every episode diverges.
        """
        episodes = self.manifest.parts[part]
        truth = np.repeat(np.arange(self.ways), self.manifest.settings.queries)
        values: list[np.ndarray] = []
        diverged: list[int] = []
        for span in chunks(len(episodes), max(1, self._episodes_at_once() // self.shares)):
            classify = self.adapt(episodes, span, trial)
            lost = ~_finite(classify(episodes.support))
            scores = classify(episodes.queries)
            right = (scores.argmax(dim=2).cpu().numpy() == truth) & torch.isfinite(scores).all(dim=2).cpu().numpy()
            values.append(np.where(lost, 1.0 / self.ways, right.mean(axis=1)))
            diverged += [span[index] for index in np.flatnonzero(lost).tolist()]
        if len(diverged) == len(episodes):
            raise DivergedError(
                f"scores are not finite in any of the {len(episodes)} {part} episodes under {trial or 'the recipe'}; "
                "lower the learning rate or check the checkpoint"
            )
        return Accuracies(100.0 * np.concatenate(values), diverged)

    def scores(self, episodes: Episodes, span: range, trial: Trial) -> Tensor:
        """Scores (E, N * Q, N) of the queries, class after class, of the episodes in `span`.

        Queries touch neither parameters nor statistics, and what comes out for one does not depend, to the last bit, on
        which others there are.

        Args:
            episodes: All episodes of one part.
            span: Numbers of those to adapt to.
            trial: Overrides of the recipe.
        """
        return self.adapt(episodes, span, trial)(episodes.queries)

    def adapt(self, episodes: Episodes, span: range, trial: Trial) -> Callable[[np.ndarray], Tensor]:
        """Adapt to the support sets of the episodes in `span`.

        Args:
            episodes: All episodes of one part.
            span: Numbers of those to adapt to.
            trial: Overrides of the recipe.

        Returns:
            From image numbers of all episodes (all, N, images) to scores (E, N * images, N) of those in `span`.
        """
        compute = self._by_features if self.method.protocol is None else self._by_network
        return compute(episodes, span, trial)

    def _episodes_at_once(self) -> int:
        settings, images = self.manifest.settings, self.subject.images
        per_episode = settings.n_way * settings.per_class
        if self.method.protocol is None:
            return max(1, _FEATURE_VALUES // (per_episode * self.subject.features.shape[1]))
        _, height, width = images.tensor(images.numbers[:1])[0].shape
        step = min(self.recipe.batch_size or per_episode, self.ways * self.shots)
        return episodes_at_once(self.method, step, height, width, images.device)

    def _labels(self, episodes: int) -> Tensor:
        labels = torch.arange(self.ways).repeat_interleave(self.shots)
        return labels.expand(episodes, -1).contiguous().to(self.subject.images.device)

    def _by_features(self, episodes: Episodes, span: range, trial: Trial) -> Callable[[np.ndarray], Tensor]:
        def features(numbers: np.ndarray) -> Tensor:
            return self.subject.features[torch.from_numpy(self.subject.images.places(_flat(numbers, span)))]

        support = Support(features(episodes.support), self._labels(len(span)), self.ways)
        classify = ON_FEATURES[self.method.name].fit(support, trial, lambda: self._optimisation(trial, span))
        return lambda numbers: classify(features(numbers))

    def _by_network(self, episodes: Episodes, span: range, trial: Trial) -> Callable[[np.ndarray], Tensor]:
        images = self.subject.images
        adapter = make_adapter(self.subject.backbone, self.method, len(span), self.ways)
        how, support = self._optimisation(trial, span), images.tensor(_flat(episodes.support, span))
        adapter.fit(support, self._labels(len(span)), how.optimizer, how.steps, how.batches)
        return lambda numbers: adapter.predict(images.tensor(_flat(numbers, span)))

    def _optimisation(self, trial: Trial, span: range) -> Optimisation:
        support = self.ways * self.shots
        how = Optimisation.of(self.recipe, trial, support, self.manifest.settings.seed, span)
        self.work.add(how.steps * len(span) * (support if how.batches is None else how.batches.shape[2]), 0)
        return how


def _finite(scores: Tensor) -> np.ndarray:
    """Which episodes have finite scores (E, images, N) only."""
    return np.asarray(torch.isfinite(scores).all(dim=2).all(dim=1).cpu().numpy())


def _flat(numbers: np.ndarray, span: range) -> np.ndarray:
    """(E, ways * images) image numbers of the episodes in `span`, class after class."""
    return numbers[span.start : span.stop].reshape(len(span), -1)
