"""One few-shot run: a checkpoint, a method and a manifest give one result."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import torch

from mmbnft import compat
from mmbnft.evaluation.choosing import run_arm
from mmbnft.evaluation.cost import Stopwatch, forward_multiply_adds
from mmbnft.evaluation.loaded_network import load_checkpoint, network_facts
from mmbnft.evaluation.run_spec import checkpoint_facts, image_libraries
from mmbnft.fewshot.arm import EpisodesArm, Subject
from mmbnft.fewshot.episode_images import EpisodeImages
from mmbnft.fewshot.episode_settings import EpisodeSettings
from mmbnft.fewshot.manifest import Manifest
from mmbnft.fewshot.methods import Method
from mmbnft.fewshot.optimisation import check_for_episodes
from mmbnft.recipes.recipe import Recipe
from mmbnft.recipes.settings import stated
from mmbnft.results import RESULTS_VERSION, Coordinates, Result
from mmbnft.tasks import ImageCache, Task
from mmbnft.utils import files
from mmbnft.utils.memory_format import memory_format
from mmbnft.zoo import Checkpoint

METRIC = "top1"
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
    recipe: Recipe
    checkpoint: Checkpoint

    def __post_init__(self) -> None:
        """Refuse a checkpoint whose input normalisation is not known, and a recipe that is not for episodes."""
        self.checkpoint.need_normalisation()
        check_for_episodes(self.recipe)

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
        return files.sha256_json(
            {
                "arm": PREFIX,
                "adaptation": method.adaptation,
                "checkpoint": checkpoint_facts(self.checkpoint, normalised=True),
                "episodes": facts,
                "libraries": image_libraries(task, self.recipe.test_pipeline),
                "model": self.model["backbone"],
                "recipe": stated(self.recipe, method.settings),
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
    first = images.tensor(images.numbers[:1])[0]
    network = network_facts(spec.model["backbone"], backbone, forward_multiply_adds(backbone, first))
    return Subject(backbone, certificate, network, images, features, watch.seconds)


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
    arm = EpisodesArm(Method.named(spec.method), spec.recipe, manifest, subject, shares)
    outcome = run_arm(arm, close_choosing=lambda: None)
    details = {
        "config": dataclasses.asdict(spec),
        "versions": compat.versions(),
        "results_version": RESULTS_VERSION,
        "hashes": {"checkpoint": subject.certificate.sha256, "lists": task.hashes},
        "certificate": subject.certificate.to_dict(),
        "network": subject.network,
        "normalisation": spec.checkpoint.described_normalisation,
        "manifest": manifest.sha256,
        "episodes": dataclasses.asdict(manifest.settings),
        "excluded": [task.classes[number] for number in manifest.draw.excluded],
    }
    cost = watch.cost(len(subject.features) + outcome.work.images)
    where = spec.coordinates(task.name, manifest.split, manifest.settings, key)
    return where.succeeded(outcome.prediction.value, cost, details | outcome.details | arm.details())
