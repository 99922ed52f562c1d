"""One few-shot run: a checkpoint, a method and a manifest give one result."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmbnft import compat
from mmbnft.evaluation.cost import Stopwatch
from mmbnft.evaluation.network import load_checkpoint
from mmbnft.evaluation.solvers.episodes import fit_episodes
from mmbnft.evaluation.spec import checkpoint_facts, image_libraries
from mmbnft.fewshot.adapters import episodes_at_once, make_adapter
from mmbnft.fewshot.batching import chunks
from mmbnft.fewshot.heads import fit_linear, linear_scores, nearest_mean
from mmbnft.fewshot.images import EpisodeImages
from mmbnft.fewshot.manifest import Manifest
from mmbnft.fewshot.methods import LOGISTIC, NEAREST_MEAN, Method
from mmbnft.fewshot.recipe import FewShotRecipe, Trial
from mmbnft.fewshot.sampling import Episodes
from mmbnft.fewshot.sequential import episode_phase
from mmbnft.fewshot.settings import EpisodeSettings
from mmbnft.fewshot.statistics import mean_accuracy
from mmbnft.recipes.settings import stated
from mmbnft.results import RESULTS_VERSION, Coordinates, Result
from mmbnft.tasks import ImageCache, Task
from mmbnft.utils import files
from mmbnft.utils.errors import DivergedError, UserError
from mmbnft.utils.memory_format import memory_format
from mmbnft.zoo import Checkpoint

METRIC = "top1"
_FEATURE_VALUES = 1 << 26  # features of episodes worked on at once
PREFIX = "fewshot"


@dataclass(frozen=True)
class FewShotSpec:
    """One (checkpoint, task, method, recipe, manifest).

    Attributes:
        model: Configuration of a host algorithm with `backbone`.
        method: Name of a method.
        recipe: The recipe.
        checkpoint: The checkpoint, or the random control.
    """

    model: dict[str, Any]
    method: str
    recipe: FewShotRecipe
    checkpoint: Checkpoint

    def __post_init__(self) -> None:
        """Refuse a checkpoint whose input normalisation is not known."""
        self.checkpoint.need_normalisation()

    @property
    def checkpoint_name(self) -> str:
        """The checkpoint as results name it."""
        return self.checkpoint.name

    def protocol_name(self, settings: EpisodeSettings) -> str:
        """What results call the method: `fewshot-bn-5way-1shot`, so that shots can stand side by side in one table."""
        return f"{PREFIX}-{self.method}-{settings.name}"

    def coordinates(self, task: str, split: int, settings: EpisodeSettings, key: str) -> Coordinates:
        """What a result of this is a result of.

        Args:
            task: Name of the task.
            split: Number of its official split.
            settings: What determines the episodes.
            key: Content hash of the run.
        """
        return Coordinates(
            checkpoint=self.checkpoint_name,
            task=task,
            protocol=self.protocol_name(settings),
            recipe=self.recipe.name,
            split=split,
            seed=settings.seed,
            key=key,
            metric=METRIC,
            evaluated_on="episodes",
        )

    def key(self, task: Task, facts: dict[str, str]) -> str:
        """Hex content hash of everything that determines the result.

        Args:
            task: The task.
            facts: What `episode_facts` says of its episodes.
        """
        method = Method.named(self.method)
        adaptation: Any = method.name
        if method.protocol is not None:
            adaptation = stated(episode_phase(method.protocol, method.norm_stats))
        return files.sha256_json(
            {
                "arm": PREFIX,
                "adaptation": adaptation,
                "checkpoint": checkpoint_facts(self.checkpoint, normalised=True),
                "episodes": facts,
                "libraries": image_libraries(task, self.recipe.test_pipeline),
                "model": self.model["backbone"],
                "recipe": stated(self.recipe, settings_used(method)),
                "results_version": RESULTS_VERSION,
            }
        )


def episode_facts(task: Task, manifest: Manifest) -> dict[str, str]:
    """What a key says of episodes: which images they take, and what these contain.

    Args:
        task: The task.
        manifest: Its episodes.

    Raises:
        UserError: An image does not exist.
    """
    return {"manifest": manifest.sha256, "images": task.images(manifest.settings.pool).content_hash}


def settings_used(method: Method) -> frozenset[str]:
    """Names of the settings of a recipe that can change what a method reaches."""
    if method.name == NEAREST_MEAN:
        return frozenset({"test_pipeline"})
    if method.name == LOGISTIC:
        return frozenset({"test_pipeline", "penalties"})
    return frozenset({"test_pipeline", "optimizer", "steps", "epochs", "batch_size", "search"})


@dataclass(frozen=True)
class Subject:
    """A checkpoint on the images of a manifest; what the methods share.

    Attributes:
        backbone: The bare backbone in eval mode.
        certificate: Its load certificate.
        images: The images.
        features: Pooled features (n, D) of all of them.
        seconds: What loading and features took.
    """

    backbone: nn.Module
    certificate: dict[str, Any]
    images: EpisodeImages
    features: Tensor
    seconds: float


def prepare_subject(
    spec: FewShotSpec,
    task: Task,
    manifest: Manifest,
    device: torch.device,
    cache: ImageCache | None = None,
    workers: int = 0,
) -> Subject:
    """Load a checkpoint and pass every image of the manifest through it once.

    Args:
        spec: Names model, checkpoint and recipe; the method does not count.
        task: The task.
        manifest: Its episodes.
        device: Where to compute.
        cache: Keeps decoded images.
        workers: Data-loading processes while features are computed.

    Raises:
        UserError: The checkpoint does not fill the backbone, or an image cannot be read.
    """
    watch = Stopwatch(device)
    backbone, certificate = load_checkpoint(spec.model, spec.checkpoint, manifest.settings.seed)
    backbone.to(device=device, memory_format=memory_format(backbone, device))  # type: ignore[call-overload]
    backbone.train(False)
    images = EpisodeImages(task, manifest, spec.recipe.test_pipeline, certificate, device, workers, cache)
    features = images.features(backbone)
    return Subject(backbone, certificate, images, features, watch.seconds)


def execute_episodes(
    spec: FewShotSpec,
    task: Task,
    manifest: Manifest,
    subject: Subject,
    key: str,
    shares: int = 1,
) -> Result:
    """Choose on the validation episodes, then adapt to every test episode and classify its queries.

    Args:
        spec: What to run.
        task: The task.
        manifest: Its episodes.
        subject: The checkpoint, see `prepare_subject`.
        key: Content hash of the run.
        shares: Divides the number of episodes adapted to at a time, for little memory.

    Raises:
        UserError: The method has no meaning for the network, or there is a choice but no validation episode.
        DivergedError: Every episode diverges.
    """
    watch = Stopwatch(subject.images.device, seconds_before=subject.seconds)
    run = EpisodeRun(Method.named(spec.method), spec.recipe, manifest, subject, shares)
    trial, search = run.choose()
    outcome = run.accuracies("test", trial)
    mean = mean_accuracy(outcome.values)
    details = {
        "config": dataclasses.asdict(spec),
        "versions": compat.versions(),
        "results_version": RESULTS_VERSION,
        "hashes": {"checkpoint": subject.certificate.get("sha256"), "lists": task.hashes},
        "certificate": subject.certificate,
        "normalisation": spec.checkpoint.described_normalisation,
        "manifest": manifest.sha256,
        "episodes": dataclasses.asdict(manifest.settings),
        "excluded": [task.classes[number] for number in manifest.draw.excluded],
        "chosen_on": f"episodes of other {manifest.draw.apart_by}" if search else None,
        "chosen": trial,
        "search": search,
        "accuracies": [round(float(value), 9) for value in outcome.values],
        "diverged_episodes": outcome.diverged,
        "interval_95": mean.half_width,
        "bootstrap_95": [mean.low, mean.high],
    }
    cost = watch.cost(len(subject.features) + run.images_seen)
    where = spec.coordinates(task.name, manifest.split, manifest.settings, key)
    return where.succeeded(mean.value, cost, details)


@dataclass(frozen=True)
class Accuracies:
    """What a method reached on some episodes.

    Attributes:
        values: (E,) percent.
        diverged: Numbers of the episodes whose adaptation diverged.
    """

    values: np.ndarray
    diverged: list[int]


class EpisodeRun:
    """A method at work on the episodes of a manifest.

    Args:
        method: The method.
        recipe: The recipe.
        manifest: The episodes.
        subject: The checkpoint.
        shares: Divides the number of episodes adapted to at a time, for little memory.

    Attributes:
        images_seen: Images, or their features, in training steps so far.
    """

    def __init__(
        self,
        method: Method,
        recipe: FewShotRecipe,
        manifest: Manifest,
        subject: Subject,
        shares: int = 1,
    ) -> None:
        self.method, self.recipe, self.manifest, self.subject = method, recipe, manifest, subject
        self.shares = shares
        self.ways, self.shots = manifest.settings.n_way, manifest.settings.k_shot
        self.images_seen = 0

    def trials(self) -> list[Trial]:
        """What this method can choose from."""
        if self.method.name == NEAREST_MEAN:
            return [{}]
        if self.method.name == LOGISTIC:
            return [{"penalty": value} for value in self.recipe.penalties]
        return self.recipe.trials()

    def choose(self) -> tuple[Trial, list[dict[str, Any]]]:
        """The trial to take to the test episodes, and what each one reached on the validation episodes.

        Trials under which no validation episode diverges come first, or else those with the fewest; among them the
        highest mean counts, then the lower learning rate, then the order of the recipe.

        Raises:
            UserError: There is a choice but no validation episode.
            DivergedError: Under no trial any validation episode stays finite.
        """
        trials = self.trials()
        if len(trials) == 1:
            return trials[0], []
        if self.manifest.draw.validation is None:
            raise UserError("a recipe with a search needs validation episodes; set validation of the episodes above 0")
        search = [{**trial, **self._validated(trial)} for trial in trials]
        finished = [entry for entry in search if entry["accuracy"] is not None]
        if not finished:
            raise DivergedError(f"every trial of the search failed; the last: {search[-1]['reason']}")
        best = min(finished, key=lambda entry: (entry["diverged"], -entry["accuracy"], entry.get("lr", 0.0)))
        return {name: best[name] for name in trials[0]}, search

    def _validated(self, trial: Trial) -> dict[str, Any]:
        """Mean accuracy of a trial on the validation episodes and how many diverged, or why there is none."""
        try:
            outcome = self.accuracies("validation", trial)
        except UserError as error:
            return {"accuracy": None, "reason": str(error)}
        return {"accuracy": float(np.mean(outcome.values)), "diverged": len(outcome.diverged)}

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
        """
        return self.adapt(episodes, span, trial)(episodes.queries)

    def adapt(self, episodes: Episodes, span: range, trial: Trial) -> Callable[[np.ndarray], Tensor]:
        """Adapt to the support sets of the episodes in `span`.

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

        support, labels = features(episodes.support), self._labels(len(span))
        if self.method.name == NEAREST_MEAN:
            return lambda numbers: nearest_mean(support, labels, features(numbers), self.ways)
        if self.method.name == LOGISTIC:
            exact = fit_episodes(support.double(), labels, self.ways, trial["penalty"])
            return lambda numbers: linear_scores(features(numbers).double(), *exact)
        steps, batches = self._steps(trial, span)
        head = fit_linear(support, labels, self.ways, self.recipe.optimizer_of(trial), steps, batches)
        return lambda numbers: linear_scores(features(numbers), *head)

    def _by_network(self, episodes: Episodes, span: range, trial: Trial) -> Callable[[np.ndarray], Tensor]:
        images = self.subject.images
        adapter = make_adapter(self.subject.backbone, self.method, len(span), self.ways)
        steps, batches = self._steps(trial, span)
        support = images.tensor(_flat(episodes.support, span))
        adapter.fit(support, self._labels(len(span)), self.recipe.optimizer_of(trial), steps, batches)
        return lambda numbers: adapter.predict(images.tensor(_flat(numbers, span)))

    def _steps(self, trial: Trial, span: range) -> tuple[int, Tensor | None]:
        support = self.ways * self.shots
        steps, batches = self.recipe.batches(support, trial, self.manifest.settings.seed, span)
        self.images_seen += steps * len(span) * (support if batches is None else batches.shape[2])
        return steps, batches


def _finite(scores: Tensor) -> np.ndarray:
    """Which episodes have finite scores (E, images, N) only."""
    return np.asarray(torch.isfinite(scores).all(dim=2).all(dim=1).cpu().numpy())


def _flat(numbers: np.ndarray, span: range) -> np.ndarray:
    """(E, ways * images) image numbers of the episodes in `span`, class after class."""
    return numbers[span.start : span.stop].reshape(len(span), -1)
