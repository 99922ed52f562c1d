"""Few-shot benchmarks: checkpoints x tasks x shots x methods on shared episodes, resumable."""

import dataclasses
import itertools
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from rich.progress import Progress

from mmbnft.evaluation.run import CACHE_LIMIT
from mmbnft.evaluation.training.distributed import local_device
from mmbnft.fewshot import (
    EpisodeSettings,
    FewShotRecipe,
    FewShotSpec,
    Manifest,
    Method,
    Subject,
    episode_facts,
    execute_episodes,
    open_manifest,
    prepare_subject,
)
from mmbnft.grid.grid import Outcome
from mmbnft.grid.plan import read_grid, task_config
from mmbnft.grid.store import ResultStore
from mmbnft.hooks import progress_bar, report
from mmbnft.host import Config
from mmbnft.results import Result, results_table
from mmbnft.tasks import ImageCache, Task, build_task, task_types
from mmbnft.utils import files
from mmbnft.utils.errors import UserError, choices, failure_kind
from mmbnft.zoo import DEFAULT_ROOT

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

    Raises:
        UserError: A list is empty or repeats itself, or a method is unknown.
    """

    name: str
    model: dict[str, Any]
    recipe: FewShotRecipe
    checkpoints: tuple[str, ...]
    tasks: tuple[dict[str, Any], ...]
    methods: tuple[str, ...]
    shots: tuple[int, ...] = (5,)
    episodes: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what would fail after hours."""
        for name in LISTS:
            values = getattr(self, name)
            if not values or any(values.count(value) > 1 for value in values):
                raise UserError(
                    f"{name} of benchmark {self.name!r} must be a list without repeats, got {values}; give some in the "
                    "configuration or on the command line"
                )
        for method in self.methods:
            Method.named(method)
        searches = len(self.recipe.trials()) > 1 and any(method != "nearest_mean" for method in self.methods)
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
        grid["recipe"] = FewShotRecipe.from_config(grid["recipe"])
        try:
            return cls(**grid)
        except TypeError as error:
            raise UserError(f"the few-shot benchmark of {config.filename} is incomplete: {error}") from error


@dataclass(frozen=True)
class _Problem:
    """A task with fixed episodes."""

    task: Task
    manifest: Manifest

    @cached_property
    def facts(self) -> dict[str, str]:
        """What keys say of the episodes."""
        return episode_facts(self.task, self.manifest)


def task_from_text(text: str) -> dict[str, Any]:
    """The configuration of a task as a person names it: an array file, a prepared folder, or a registered type."""
    if text.endswith(".npz"):
        return {"type": "array_task", "path": text}
    return {"type": text} if text in task_types() else task_config(text)


def manifest_path(folder: Path, task: Task, settings: EpisodeSettings) -> Path:
    """Where the episodes of a task are kept; one name for each kind of episode, so that a change is noticed.

    Raises:
        UserError: The task's name is no part of a file name.
    """
    if not task.name or set(task.name) & set("/\\\0"):
        raise UserError(
            f"episodes cannot be kept under the task name {task.name!r}, which names a path; use letters, digits, "
            "'-', '_' and '.' in task.json"
        )
    return folder / f"{task.name}__split{task.split}__{settings.name}__{settings.pool}__seed{settings.seed}.jsonl"


def run_few_shot(
    benchmark: FewShotBenchmark,
    out: Path,
    *,
    manifests: Path | None = None,
    retry_failed: bool = False,
    device: str = "auto",
    weights_root: Path = DEFAULT_ROOT,
) -> Outcome:
    """Run a few-shot benchmark to its end; a second call does what is missing.

    Writes `results/*.json`, one for each run, `results.csv`, and the episodes in `manifests/`.

    Args:
        benchmark: The grid.
        out: Folder of the benchmark.
        manifests: Folder of the episodes; `out/manifests` by default. Episodes that are there are used again.
        retry_failed: Whether to run failed ones again.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        weights_root: Folder of the catalogue's weight files.

    Raises:
        UserError: A task, its episodes or a checkpoint is wrong; nothing has run yet then.
    """
    files.check_writable(out)
    problems = _problems(benchmark, manifests or out / "manifests")
    store, place = ResultStore(out / "results"), local_device(device)
    cache = ImageCache(out / "cache" / "images", CACHE_LIMIT)
    plans = [
        _Plan(problem, benchmark, checkpoint, weights_root, cache)
        for problem, checkpoint in itertools.product(problems, benchmark.checkpoints)
    ]
    names = {key: plan.names(spec) for plan in plans for key, spec in plan.specs.items()}
    store.adopt(names)
    executed = 0
    with progress_bar() as bar:
        done = bar.add_task(benchmark.name, total=len(names), note="")
        for plan in plans:
            left = {key: spec for key, spec in plan.specs.items() if not _is_done(store, key, retry_failed)}
            bar.update(done, advance=len(plan.specs) - len(left))
            for result in plan.run(left, place, bar):
                store.write(result)
                note = f"{result.value:.1f} %" if result.value is not None else f"failed: {result.reason}"
                report(bar, f"{result.checkpoint} {result.task} {result.protocol}: {note}")
                bar.advance(done)
            executed += len(left)
    results = tuple(store.select(names))
    files.write_text(out / "results.csv", results_table(results).to_csv(index=False))
    return Outcome(results, len(names) - executed, executed)


def few_shot_keys(benchmark: FewShotBenchmark, manifests: Path, weights_root: Path) -> set[str]:
    """Keys of the runs of a few-shot benchmark.

    Args:
        benchmark: The grid.
        manifests: Folder of the episodes; those that are missing are drawn and written there.
        weights_root: Folder of the catalogue's weight files.

    Raises:
        UserError: A task, its episodes or a checkpoint is wrong.
    """
    pairs = itertools.product(_problems(benchmark, manifests), benchmark.checkpoints)
    return {key for pair in pairs for key in _Plan(pair[0], benchmark, pair[1], weights_root, None).specs}


def _problems(benchmark: FewShotBenchmark, folder: Path) -> list[_Problem]:
    tasks = [build_task(config) for config in benchmark.tasks]
    names = [task.name for task in tasks]
    if len(set(names)) < len(names):
        raise UserError(f"tasks of benchmark {benchmark.name!r} must differ in their names, got {choices(names)}")
    return [
        _Problem(task, open_manifest(manifest_path(folder, task, settings), task, settings))
        for task, settings in itertools.product(tasks, benchmark.settings())
    ]


def _is_done(store: ResultStore, key: str, retry_failed: bool) -> bool:
    result = store.find(key)
    return result is not None and not (retry_failed and result.status == "failed")


class _Plan:
    """The runs of one checkpoint on one problem, by content hash; they share the checkpoint and its features."""

    def __init__(
        self,
        problem: _Problem,
        benchmark: FewShotBenchmark,
        checkpoint: str,
        weights_root: Path,
        cache: ImageCache | None,
    ) -> None:
        self.problem, self.weights_root, self.cache = problem, weights_root, cache
        specs = [FewShotSpec(benchmark.model, method, benchmark.recipe, checkpoint) for method in benchmark.methods]
        self.specs = {spec.key(problem.task, problem.facts, weights_root): spec for spec in specs}

    def names(self, spec: FewShotSpec) -> dict[str, str]:
        """What the result of a run is called."""
        protocol = spec.protocol_name(self.problem.manifest)
        task = self.problem.task.name
        return {"checkpoint": spec.checkpoint_name, "task": task, "protocol": protocol, "recipe": spec.recipe.name}

    def run(self, left: dict[str, FewShotSpec], device: torch.device, bar: Progress) -> Iterator[Result]:
        """Execute the runs in `left`; whatever goes wrong with one becomes a failed result and the others go on."""
        subject: Subject | None = None
        for key, spec in left.items():
            label = f"{spec.checkpoint_name} {self.problem.task.name} {spec.protocol_name(self.problem.manifest)}"
            steps = bar.add_task(label, total=None, note="episodes")
            try:
                subject = subject or self._subject(spec, device)
                yield self._execute(spec, subject, key, partial(bar.advance, steps))
            except UserError as error:
                yield self._failed(spec, key, error.kind, str(error))
            except Exception as error:  # a bug or an exhausted machine must not take the other runs along
                yield self._failed(
                    spec, key, failure_kind(error), f"{type(error).__name__}: {error}", traceback.format_exc()
                )
            finally:
                bar.remove_task(steps)

    def _subject(self, spec: FewShotSpec, device: torch.device) -> Subject:
        problem = self.problem
        return prepare_subject(spec, problem.task, problem.manifest, device, self.weights_root, self.cache)

    def _execute(self, spec: FewShotSpec, subject: Subject, key: str, advance: Callable[[int], None]) -> Result:
        return execute_episodes(spec, self.problem.task, self.problem.manifest, subject, key, advance)

    def _failed(self, spec: FewShotSpec, key: str, kind: str, reason: str, trace: str = "") -> Result:
        manifest = self.problem.manifest
        shared = {"config": dataclasses.asdict(spec), "manifest": manifest.sha256}
        details = shared | ({"traceback": trace} if trace else {})
        return spec.coordinates(self.problem.task, manifest, key).failed(kind, reason, details)
