"""The runs of a selection, as jobs of the grid: proxies, runs of several lengths on val, and the pick on test."""

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from mmbnft.grid.plan import Benchmark, PlannedRun, plan_runs, warm_task
from mmbnft.protocols import name_of
from mmbnft.results import Result
from mmbnft.select.race import SHARES
from mmbnft.utils.errors import UserError

# Weight decays of the linear probe, chosen on val; every second power of ten of Ericsson et al.'s range.
PROBE = {"solver": "convex", "weight_decays": np.logspace(-6, 4, 6).tolist()}
# Fewer checkpoints need no race, and their results cannot be standardised.
LEAST_CHECKPOINTS = 3


@dataclass(frozen=True)
class RaceRuns:
    """What can be run of a selection.

    Attributes:
        checkpoints: Names of the K checkpoints.
        task: Name of the task.
        target: Name of the target.
        proxies: Runs of each proxy in the order of the checkpoints, by its name.
        rungs: The same of further proxies, each of which is run for all where the selection finds it worth its cost.
        targets: The target's whole runs, which evaluate on test, in the order of the checkpoints.
        shares: Lengths of training runs as shares of the whole.
        val_images: Number of images on val.
    """

    checkpoints: tuple[str, ...]
    task: str
    target: str
    proxies: dict[str, tuple[PlannedRun, ...]]
    rungs: dict[str, tuple[PlannedRun, ...]]
    targets: tuple[PlannedRun, ...]
    shares: tuple[float, ...]
    val_images: int

    @classmethod
    def plan(cls, benchmark: Benchmark, rungs: Collection[str] = ()) -> "RaceRuns":
        """The runs of a benchmark of one task whose protocols are the proxies and the target.

        Args:
            benchmark: What to run.
            rungs: Names of those proxies that are run only where they pay.

        Raises:
            UserError: The plan is wrong, or there are too few checkpoints for a race.
        """
        if len(benchmark.checkpoints) < LEAST_CHECKPOINTS:
            raise UserError(
                f"a selection needs at least {LEAST_CHECKPOINTS} checkpoints, got {len(benchmark.checkpoints)}; "
                "compare fewer with tools/benchmark.py"
            )
        runs = plan_runs(benchmark, warm_task)
        target = str(benchmark.target)
        by_protocol = {
            name: tuple(run for run in runs if run.protocol == name) for name in map(name_of, benchmark.protocols)
        }
        targets = by_protocol.pop(target)
        if targets[0].spec.arm != "trained":
            raise UserError(f"the target must be a protocol that trains, got {target!r}; take finetune")
        whole = targets[0].spec.recipe.length
        shares = tuple(sorted({max(1, round(share * whole)) / whole for share in SHARES}))
        found = {name: tuple(_proxy(run) for run in own) for name, own in by_protocol.items()}
        proxies = {name: own for name, own in found.items() if name not in rungs}
        further = {name: own for name, own in found.items() if name in rungs}
        task = warm_task(targets[0].spec.task, targets[0].spec.split)
        names = tuple(run.checkpoint for run in targets)
        return cls(names, targets[0].task, target, proxies, further, targets, shares, len(task.images("val")))

    def training(self, checkpoint: int, share: float, seed: int) -> PlannedRun:
        """A training of the target that ends on val.

        Args:
            checkpoint: Number of the checkpoint.
            share: Its length, one of `shares`.
            seed: Added to the seed of the whole run.
        """
        spec = self.targets[checkpoint].spec
        recipe = spec.recipe.shortened(round(share * spec.recipe.length))
        return _on_val(dataclasses.replace(self.targets[checkpoint],
                       spec=dataclasses.replace(spec, recipe=recipe, seed=spec.seed + seed)))  # fmt: skip

    def final(self, checkpoint: int, whole: Result | None) -> PlannedRun:
        """The run that refits a checkpoint and evaluates it on test.

        Args:
            checkpoint: Its number.
            whole: Its whole training on val with the first seed, whose search is then not repeated.
        """
        search = () if whole is None else tuple(whole.details["search"])
        run = self.targets[checkpoint]
        # A recipe without a search has nothing to be taken over.
        return dataclasses.replace(run, search=search if len(run.spec.recipe.trials()) > 1 else ())


def _proxy(run: PlannedRun) -> PlannedRun:
    """A proxy's run without a look at test; `linear` is solved, whatever the recipe says."""
    if run.spec.is_score:
        return run
    spec = run.spec
    if run.protocol == "linear" and spec.recipe.probe is None:
        spec = dataclasses.replace(spec, recipe=spec.recipe.changed({"probe": PROBE}))
    return _on_val(dataclasses.replace(run, spec=spec))


def _on_val(run: PlannedRun) -> PlannedRun:
    task = warm_task(run.spec.task, run.spec.split)
    return dataclasses.replace(run, key=run.spec.key(task, on_val=True), on_val=True)


def values_of(runs: Sequence[PlannedRun], results: dict[str, Result]) -> np.ndarray:
    """(K,) values of runs, NaN where one failed."""
    found = [results.get(run.key) for run in runs]
    return np.array([np.nan if one is None or one.value is None else one.value for one in found])
