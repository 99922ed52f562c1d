"""Few-shot benchmarks: checkpoints x tasks x shots x methods on shared episodes, as jobs of the grid."""

import dataclasses
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmbnft.evaluation.run import CACHE_LIMIT
from mmbnft.fewshot import (
    EpisodeSettings,
    FewShotSpec,
    Manifest,
    Method,
    Subject,
    episode_facts,
    execute_episodes,
    open_manifest,
    prepare_subject,
    read_manifest,
)
from mmbnft.fewshot.optimisation import check_for_episodes
from mmbnft.grid.executors import Executor
from mmbnft.grid.filters import Part
from mmbnft.grid.grid import Outcome, check_environment, run_jobs
from mmbnft.grid.job import Execution, PlannedJob
from mmbnft.grid.plan import read_grid, warm_task
from mmbnft.grid.worker import WorkSettings
from mmbnft.host import Config
from mmbnft.models.configuration import with_models
from mmbnft.recipes.recipe import Recipe
from mmbnft.results import Coordinates, Result
from mmbnft.tasks import ImageCache, Task, build_task
from mmbnft.utils.errors import UserError, choices
from mmbnft.zoo import resolve_checkpoints
from mmbnft.zoo.checkpoint import Statement

LISTS = ("checkpoints", "tasks", "methods", "shots")


@dataclass(frozen=True)
class FewShotBenchmark:
    """What a few-shot configuration says.

    Attributes:
        name: Benchmark name.
        model: Configuration of the network, as in a run's.
        recipe: One recipe for every method.
        checkpoints: Catalogue ids, weight files, `random`, or `group:NAME`.
        tasks: Task configurations, or folders of prepared tasks.
        methods: Names of methods.
        shots: Support images of a class; each number is a setting of its own.
        episodes: Further settings of the episodes, see `EpisodeSettings`.
        stated: What is stated about the weight files among the checkpoints.

    Raises:
        UserError: A list is empty or repeats itself, or a method is unknown.
    """

    name: str
    model: dict[str, Any]
    recipe: Recipe
    checkpoints: tuple[str, ...]
    tasks: tuple[dict[str, Any], ...]
    methods: tuple[str, ...]
    shots: tuple[int, ...] = (5,)
    episodes: dict[str, Any] = dataclasses.field(default_factory=dict)
    stated: Statement = dataclasses.field(default_factory=Statement)

    def __post_init__(self) -> None:
        """Refuse what would fail after hours."""
        for name in LISTS:
            values = getattr(self, name)
            if not values or any(values.count(value) > 1 for value in values):
                raise UserError(
                    f"{name} of benchmark {self.name!r} must be a list without repeats, got {values}; give some in the "
                    "configuration or on the command line"
                )
        check_for_episodes(self.recipe)
        searches = any(len(Method.named(method).candidates(self.recipe)) > 1 for method in self.methods)
        if any(searches and not settings.validation for settings in self.settings()):
            raise UserError(f"recipe {self.recipe.name!r} searches; set episodes.validation above 0 to choose on")

    def settings(self) -> tuple[EpisodeSettings, ...]:
        """The settings of the episodes, one for each number of shots."""
        if "k_shot" in self.episodes:
            raise UserError("episodes of a few-shot benchmark take their k_shot from the list shots; move it there")
        return tuple(EpisodeSettings.from_config({**self.episodes, "k_shot": shot}) for shot in self.shots)

    @classmethod
    def from_config(cls, config: Config) -> "FewShotBenchmark":
        """Read a configuration with `model`, `recipe` and `few_shot = dict(name=..., checkpoints=[...], ...)`.

        Raises:
            UserError: A setting is unknown or missing.
        """
        grid = read_grid(config, "few_shot", LISTS, {entry.name for entry in dataclasses.fields(cls)})
        grid["recipe"] = Recipe.from_config(grid["recipe"])
        try:
            return cls(**grid)
        except TypeError as error:
            raise UserError(f"the few-shot benchmark of {config.filename} is incomplete: {error}") from error


@dataclass(frozen=True)
class EpisodeJob(PlannedJob[FewShotSpec]):
    """One method on one checkpoint and the episodes of one task.

    Attributes:
        task_config: Configuration of the task.
        split: Number of the official split.
        settings: What determines the episodes.
        manifest: File of the episodes.
    """

    task_config: dict[str, Any]
    split: int
    settings: EpisodeSettings
    manifest: Path

    @property
    def protocol(self) -> str:
        """Method, way and shot, as in `fewshot-bn-5way-1shot`."""
        return self.spec.protocol_name(self.settings)

    @property
    def label(self) -> str:
        """Short text for progress and tables."""
        return f"{self.checkpoint} {self.task} {self.protocol}"

    @property
    def group(self) -> str:
        """Checkpoint and episodes: a process computes their features once for all methods."""
        return f"{self.checkpoint} {self.task} {self.settings.name}"

    @property
    def precision(self) -> str:
        """Episodes are computed in float32."""
        return "float32"

    @property
    def config(self) -> dict[str, Any]:
        """Everything it is made of, as results hold it."""
        return {
            **dataclasses.asdict(self.spec),
            "task": self.task_config,
            "episodes": dataclasses.asdict(self.settings),
        }

    def execute(self, how: Execution) -> Result:
        """Adapt to every episode and classify its queries; `accumulation` takes fewer episodes at a time."""
        task = warm_task(self.task_config, self.split)
        manifest = _warm_manifest(self.manifest, self.task, self.settings, task)
        subject = _warm_subject(self, how, task, manifest)
        result = execute_episodes(self.spec, task, manifest, subject, self.key, shares=how.accumulation)
        return dataclasses.replace(result, details={**result.details, "config": self.config})

    @property
    def coordinates(self) -> Coordinates:
        """What its result is a result of."""
        return self.spec.coordinates(self.task, self.split, self.settings, self.key)


class _Latest:
    """Keeps what was made last, for as long as the same is asked for."""

    def __init__(self) -> None:
        self.key: str | None = None
        self.value: Any = None

    def get(self, key: str, make: Any) -> Any:
        if key != self.key:
            self.key, self.value = None, None  # freed before the next is made
            self.value = make()
            self.key = key
        return self.value


_manifest, _subject = _Latest(), _Latest()


def _warm_manifest(path: Path, name: str, settings: EpisodeSettings, task: Task) -> Manifest:
    """A manifest, kept between the jobs of one process."""
    found: Manifest = _manifest.get(repr((path.resolve(), path.stat().st_mtime_ns, name, settings)),
                                    lambda: read_manifest(path, task))  # fmt: skip
    return found


def _warm_subject(job: EpisodeJob, how: Execution, task: Task, manifest: Manifest) -> Subject:
    """A checkpoint with its features, kept between the jobs of one process."""
    spec = job.spec
    shared = (spec.model, spec.checkpoint, spec.recipe.test_pipeline, manifest.sha256, job.task_config, str(how))
    cache = ImageCache(how.cache / "images", CACHE_LIMIT)
    found: Subject = _subject.get(
        json.dumps(shared, sort_keys=True, default=str),
        lambda: prepare_subject(spec, task, manifest, how.device, cache, how.loaders),
    )
    return found


def manifest_path(folder: Path, task: Task, settings: EpisodeSettings) -> Path:
    """Where the episodes of a task are kept; one name for each kind of episode, so that a change is noticed.

    Args:
        folder: Folder of manifests.
        task: The task.
        settings: What determines the episodes.
    """
    return folder / f"{task.name}__split{task.split}__{settings.name}__{settings.pool}__seed{settings.seed}.jsonl"


def plan_episodes(benchmark: FewShotBenchmark, manifests: Path) -> list[EpisodeJob]:
    """Expand a benchmark to jobs, all methods on one checkpoint and its episodes together; draws missing episodes.

    Args:
        benchmark: The grid.
        manifests: Folder of the episodes. Those that are there are used again.

    Raises:
        UserError: A task, its episodes or a checkpoint is wrong.
    """
    tasks = [(config, build_task(config)) for config in benchmark.tasks]
    names = [task.name for _, task in tasks]
    if len(set(names)) < len(names):
        raise UserError(f"tasks of benchmark {benchmark.name!r} must differ in their names, got {choices(names)}")
    checkpoints = with_models(benchmark.model, resolve_checkpoints(benchmark.checkpoints, stated=benchmark.stated))
    jobs = []
    for (config, task), settings in itertools.product(tasks, benchmark.settings()):
        path = manifest_path(manifests, task, settings)
        facts = episode_facts(task, open_manifest(path, task, settings))
        for (model, checkpoint), method in itertools.product(checkpoints, benchmark.methods):
            if isinstance(checkpoint, UserError):
                raise checkpoint
            spec = FewShotSpec(model, method, benchmark.recipe, checkpoint)
            key = spec.key(task, facts)
            jobs.append(EpisodeJob(spec, key, task.name, config, task.split, settings, path))
    return jobs


def run_few_shot(
    benchmark: FewShotBenchmark,
    executor: Executor,
    settings: WorkSettings,
    part: Part | None = None,
    manifests: Path | None = None,
) -> Outcome:
    """Run a few-shot benchmark to its end; a second call continues, as `run_benchmark` does.

    Writes `results/*.json`, one for each run, `results.csv`, and the episodes in `manifests/`.

    Args:
        benchmark: The grid.
        executor: Where jobs are executed.
        settings: How.
        part: Which jobs; all by default.
        manifests: Folder of the episodes; `manifests` in the work dir by default.

    Raises:
        MachineError: The machine lacks what every job needs, such as the device or room on the disk.
        UserError: A task, its episodes or a checkpoint is wrong; nothing has run yet then.
    """
    check_environment(executor, settings)
    jobs = plan_episodes(benchmark, manifests or settings.work_dir / "manifests")
    return run_jobs(benchmark.name, jobs, executor, settings, part)
