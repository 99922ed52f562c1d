"""The plan of a benchmark: every (checkpoint, task, protocol, split, seed) as a run with its content hash."""

import dataclasses
import functools
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mmbnft.evaluation.record import coordinates
from mmbnft.evaluation.requirements import check_run
from mmbnft.evaluation.run import RunOptions, execute
from mmbnft.evaluation.run_spec import RunSpec, adapted_by, named_protocol
from mmbnft.grid.job import Execution, PlannedJob
from mmbnft.host import Config
from mmbnft.models.configuration import with_models
from mmbnft.protocols import Protocol, name_of
from mmbnft.recipes import resolve_recipe
from mmbnft.recipes.recipe import Recipe
from mmbnft.results import Coordinates, Result
from mmbnft.tasks import Task, build_task, refuse_shared_images, task_types
from mmbnft.utils.errors import UserError, choices, meant
from mmbnft.zoo import Checkpoint, group, resolve_checkpoints
from mmbnft.zoo.checkpoint import Statement
from mmbnft.zoo.entry import RANDOM

GROUP = "group:"
LISTS = ("checkpoints", "tasks", "protocols", "splits", "seeds")


@dataclass(frozen=True)
class Benchmark:
    """What a benchmark configuration says.

    Attributes:
        name: Benchmark name.
        model: Configuration of the network, as in a run's; checkpoints of another network get their own, and without a
            backbone all of them do.
        recipe: One recipe for every arm, or the configuration of a named one, which may differ between arms and tasks.
        checkpoints: Catalogue ids, weight files, `random`, or `group:NAME` for a named group of the catalogue.
        tasks: Task configurations, or folders of prepared tasks; a configuration may name its own `splits`.
        protocols: Names of protocols and training-free scores, or definitions `dict(name=..., phases=[...])`.
        splits: Official splits of the tasks that name none.
        seeds: Seeds.
        target: The protocol that the others are meant to predict; None where nothing is
            fine-tuned: the report then ranks by the others alone.
        stated: What is stated about the weight files among the checkpoints.

    Raises:
        UserError: A list is empty, or the target is not among the protocols.
    """

    name: str
    model: dict[str, Any]
    recipe: Recipe | dict[str, Any]
    checkpoints: tuple[str, ...]
    tasks: tuple[dict[str, Any], ...]
    protocols: tuple[str | Protocol, ...]
    splits: tuple[int, ...] = (0,)
    seeds: tuple[int, ...] = (0,)
    target: str | None = "finetune"
    stated: Statement = dataclasses.field(default_factory=Statement)

    def __post_init__(self) -> None:
        """Refuse an empty grid and a grid without its target."""
        for name in LISTS:
            values = [json.dumps(value, sort_keys=True, default=str) for value in getattr(self, name)]
            if not values or len(set(values)) != len(values):
                raise UserError(f"{name} of benchmark {self.name!r} must be a list without repeats, got {values}")
        protocols = _distinct_protocols(self.name, self.protocols)
        object.__setattr__(self, "protocols", protocols)
        if self.target is not None:
            target = name_of(adapted_by(self.target) if self.target not in map(name_of, protocols) else self.target)
            if target not in map(name_of, protocols):
                raise UserError(
                    f"the target {self.target!r} must be one of the protocols: {choices(map(name_of, protocols))}"
                )
            object.__setattr__(self, "target", target)

    @classmethod
    def from_config(cls, config: Config) -> "Benchmark":
        """Read a configuration with `model`, `recipe` and `benchmark = dict(name=..., checkpoints=[...], ...)`.

        Raises:
            UserError: A setting is unknown or missing.
        """
        grid = read_grid(config, "benchmark", LISTS, {entry.name for entry in dataclasses.fields(cls)})
        try:
            return cls(**grid)
        except TypeError as error:
            raise UserError(f"the benchmark of {config.filename} is incomplete: {error}") from error


def _distinct_protocols(owner: str, protocols: Sequence[Any]) -> tuple[str | Protocol, ...]:
    """Protocols under the one name that each has; those known by their name stay names.

    Raises:
        UserError: There is no such protocol, or two of them are the same.
    """
    found: list[str | Protocol] = []
    first: dict[object, str] = {}
    for protocol in protocols:
        known = adapted_by(protocol)
        name = protocol if isinstance(protocol, str) else name_of(known)
        content = known if isinstance(known, str) else known.phases
        other = first.setdefault(content, name)
        if other is not name or name_of(known) in map(name_of, found):
            raise UserError(
                f"the protocols {other!r} and {name!r} of benchmark {owner!r} are the same and would share "
                "their results; leave one out"
            )
        found.append(known if "phases" in named_protocol(known) else name_of(known))
    return tuple(found)


def read_grid(config: Config, section: str, lists: Iterable[str], known: set[str]) -> dict[str, Any]:
    """The settings of a grid: `model`, `recipe` and one section that holds the others.

    Args:
        config: The configuration.
        section: Name of the section.
        lists: Settings that are lists; groups of checkpoints and folders of tasks are spelt out in them.
        known: Names of all settings.

    Raises:
        UserError: A setting is unknown, or one of the three parts is missing.
    """
    settings = config._cfg_dict.to_dict()
    missing = {"model", "recipe", section} - set(settings)
    if missing:
        other = "; start a single run with: mmbnft train CONFIG" if "task" in settings else ""
        raise UserError(f"{config.filename} is not a {section} configuration: it lacks {choices(missing)}{other}")
    grid = dict(settings[section])
    allowed = known - {"model", "recipe"}
    if set(grid) - allowed:
        raise UserError(
            f"unknown {section} settings {choices(set(grid) - allowed)}; allowed: {choices(allowed)}"
            f"{meant(set(grid) - allowed, allowed)}"
        )
    grid.update({name: tuple(grid[name]) for name in lists if name in grid})
    grid["checkpoints"] = expand_groups(grid.get("checkpoints", ()))
    grid["stated"] = Statement.from_config(grid.get("stated", {}))
    grid["tasks"] = tuple(task_config(task) for task in grid.get("tasks", ()))
    return grid | {"model": settings["model"], "recipe": settings["recipe"]}


def expand_groups(names: Iterable[str]) -> tuple[str, ...]:
    """Checkpoints as a configuration names them, with the members in the place of each `group:NAME`.

    Raises:
        UserError: There is no such group.
    """
    parts = (group(name.removeprefix(GROUP)) if name.startswith(GROUP) else [name] for name in names)
    return tuple(itertools.chain.from_iterable(parts))


def task_config(task: dict[str, Any] | str) -> dict[str, Any]:
    """A task's configuration; a bare text is a registered type, an array file, or the folder of a prepared task."""
    if not isinstance(task, str):
        return task
    if task in task_types():
        return {"type": task}
    return {"type": "array_task", "path": task} if task.endswith(".npz") else {"type": "list_task", "root": task}


@functools.lru_cache(maxsize=8)
def _warm_task(config: str, split: int) -> Task:
    return build_task(json.loads(config), split)


def warm_task(config: dict[str, Any], split: int) -> Task:
    """A task, kept between the jobs of one process."""
    return _warm_task(json.dumps(config, sort_keys=True), split)


@dataclass(frozen=True)
class PlannedRun(PlannedJob[RunSpec]):
    """One run of a plan.

    Attributes:
        metric: The task's metric.
        on_val: Whether it ends with its search on val, and test is not seen.
        search: The search of the same run on val, which is then not repeated.
    """

    metric: str
    on_val: bool = False
    search: tuple[dict[str, Any], ...] = ()

    @property
    def protocol(self) -> str:
        """Name of its protocol."""
        return self.spec.protocol

    @property
    def config(self) -> dict[str, Any]:
        """Everything it is made of, as results hold it."""
        return dataclasses.asdict(self.spec)

    @property
    def label(self) -> str:
        """Short text for progress and tables."""
        text = f"{self.checkpoint} {self.task} {self.protocol}"
        text += f" {self.spec.recipe.duration} on val" if self.on_val and self.spec.arm == "trained" else ""
        return text + "".join(f" {name} {n}" for name, n in (("split", self.spec.split), ("seed", self.spec.seed)) if n)

    @property
    def group(self) -> str:
        """The task, which a process reads once."""
        return f"{self.task} {self.spec.split}"

    @property
    def precision(self) -> str:
        """What its recipe says."""
        return self.spec.recipe.precision

    def execute(self, how: Execution) -> Result:
        """Train or score, and evaluate."""
        # No state: a run of a grid that breaks off is done again. Without data-loading processes by default: the
        # workers of the grid fill the cores already.
        options = RunOptions(
            how.work_dir,
            how.device,
            save_state=False,
            accumulation=how.accumulation,
            save_memory=how.accumulation > 1,
            cache=how.cache,
            workers=how.loaders,
            val_interval=how.val_interval,
            keep_weights=how.keep_weights,
        )
        task = warm_task(self.spec.task, self.spec.split)
        return execute(self.spec, options, task, on_val=self.on_val, search=self.search)

    @property
    def coordinates(self) -> Coordinates:
        """What its result is a result of."""
        return coordinates(self.spec, self.task, self.metric, self.key, self.on_val)


@dataclass(frozen=True)
class Unready:
    """Runs that cannot be planned yet.

    Attributes:
        runs: How many.
        reason: What is missing, one sentence.
    """

    runs: int
    reason: str


def plan_runs(benchmark: Benchmark, build: Callable[[dict[str, Any], int], Task] = build_task) -> list[PlannedRun]:
    """Expand a benchmark to runs, all checkpoints of a task together.

    Args:
        benchmark: The grid.
        build: Builds a task; each (task, split) is built once.

    Raises:
        UserError: A task, a checkpoint or a protocol is wrong; nothing has run yet then.
    """
    runs = []
    for item in _plan(benchmark, build):
        if isinstance(item, Unready):
            raise UserError(item.reason)
        runs.append(item)
    _check_distinct(runs)
    return runs


def plan_ready(
    benchmark: Benchmark, build: Callable[[dict[str, Any], int], Task] = build_task
) -> tuple[list[PlannedRun], list[Unready]]:
    """What can be planned of a benchmark now, and what keeps the rest from it, each reason once.

    Args:
        benchmark: The grid.
        build: Builds a task; each (task, split) is built once.

    Raises:
        UserError: The grid makes no sense, whatever data and weights there are.
    """
    runs: list[PlannedRun] = []
    lacking: Counter[str] = Counter()
    for item in _plan(benchmark, build):
        if isinstance(item, Unready):
            lacking[item.reason] += item.runs
        else:
            runs.append(item)
    _check_distinct(runs)
    return runs, [Unready(count, reason) for reason, count in lacking.items()]


def _plan(benchmark: Benchmark, build: Callable[[dict[str, Any], int], Task]) -> Iterator[PlannedRun | Unready]:
    if RANDOM in benchmark.checkpoints and len(benchmark.checkpoints) == 1:
        raise UserError(f"benchmark {benchmark.name!r} has no checkpoint besides the random control; add some")
    checkpoints = with_models(benchmark.model, _resolved(benchmark))
    arms = list(itertools.product(benchmark.seeds, benchmark.protocols, checkpoints))
    for config, split in _task_splits(benchmark):
        try:
            task = build(config, split)
            refuse_shared_images(task)
        except UserError as error:
            yield Unready(len(arms), str(error))
            continue
        for seed, protocol, (model, checkpoint) in arms:
            protocol = adapted_by(protocol)
            recipe = resolve_recipe(benchmark.recipe, task.name, protocol)
            if isinstance(checkpoint, UserError):  # one that is not there
                yield Unready(1, str(checkpoint))
                continue
            names = named_protocol(protocol)
            spec = RunSpec(model, config, recipe=recipe, checkpoint=checkpoint, split=split, seed=seed, **names)
            check_run(spec, task)
            yield PlannedRun(spec, spec.key(task), task.name, task.metric)


def _resolved(benchmark: Benchmark) -> Sequence[Checkpoint | UserError]:
    """The checkpoints, with names that tell them apart; where one is not there, each by itself and what it lacks."""
    try:
        return resolve_checkpoints(benchmark.checkpoints, stated=benchmark.stated)
    except UserError:
        found: list[Checkpoint | UserError] = []
        for text in benchmark.checkpoints:
            try:
                found += resolve_checkpoints([text], stated=benchmark.stated.for_one(text))
            except UserError as error:
                found.append(error)
        if not any(isinstance(one, UserError) for one in found):
            raise
        return found


def _task_splits(benchmark: Benchmark) -> list[tuple[dict[str, Any], int]]:
    """Every task with each of its splits: those its configuration names as `splits`, or else the benchmark's."""
    pairs = []
    for config in benchmark.tasks:
        plain = {name: value for name, value in config.items() if name != "splits"}
        splits = config.get("splits", benchmark.splits)
        if not isinstance(splits, list | tuple) or not splits or len(set(splits)) != len(splits):
            raise UserError(f"splits of the task {plain} must be a list without repeats, got {splits!r}")
        pairs += [(plain, split) for split in splits]
    return pairs


def _check_distinct(runs: list[PlannedRun]) -> None:
    first: dict[str, PlannedRun] = {}
    for run in runs:
        other = first.setdefault(run.key, run)
        if other is not run:
            raise UserError(_same_run(other, run))


def _same_run(first: PlannedRun, second: PlannedRun) -> str:
    """Why two runs of a plan have one key."""
    if first.spec.checkpoint != second.spec.checkpoint:
        pair = f"{first.checkpoint!r} and {second.checkpoint!r} are the same weights"
    elif first.protocol != second.protocol:
        pair = f"{first.protocol!r} and {second.protocol!r} are the same under recipe {first.spec.recipe.name!r}"
    else:
        pair = f"the tasks {first.spec.task} and {second.spec.task} hold the same images, labels and metric"
    return f"{pair} and would share their results; leave one out"
