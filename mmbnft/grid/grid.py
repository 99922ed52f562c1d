"""Runs a benchmark: plan, skip what is done, execute the rest, export, judge."""

from dataclasses import dataclass, field
from pathlib import Path

from mmbnft.grid.estimate import Estimate, estimate
from mmbnft.grid.executors import Executor
from mmbnft.grid.plan import Benchmark, PlannedRun, plan_runs
from mmbnft.grid.selection import Selection, Shard
from mmbnft.grid.store import ResultStore, StorageError, storing
from mmbnft.grid.worker import Done, WorkSettings, warm_task
from mmbnft.hooks import progress_bar
from mmbnft.ranking import rank_results
from mmbnft.results import Result, results_table
from mmbnft.utils import files
from mmbnft.utils.errors import UserError
from mmbnft.zoo import DEFAULT_ROOT


@dataclass(frozen=True)
class Part:
    """Which runs of a plan are meant.

    Attributes:
        only: By coordinates.
        shard: By share, of what the coordinates leave.
        retry_failed: Whether failed runs count as missing.
    """

    only: Selection = field(default_factory=Selection)
    shard: Shard = field(default_factory=Shard)
    retry_failed: bool = False


@dataclass(frozen=True)
class OpenPlan:
    """A plan beside what a store has of it.

    Attributes:
        runs: Every run of the benchmark.
        meant: Those of the part that was asked for.
        left: Those of them without a result.
    """

    runs: tuple[PlannedRun, ...]
    meant: tuple[PlannedRun, ...]
    left: tuple[PlannedRun, ...]

    @property
    def text(self) -> str:
        """One line for each run that is meant, and their counts."""
        missing = {run.key for run in self.left}
        lines = [f"{'missing' if run.key in missing else 'done   '}  {run.key[:16]}  {run.label}" for run in self.meant]
        done = len(self.meant) - len(self.left)
        return "\n".join([*lines, f"{len(self.meant)} runs, {done} done, {len(self.left)} missing"])


@dataclass(frozen=True)
class Outcome:
    """What a benchmark has on disk after it ended.

    Attributes:
        results: The results of all of the plan's runs that have one, failed ones included.
        skipped: Number of the runs meant that were done before, or by another benchmark on the same store.
        executed: Number of runs executed now.
    """

    results: tuple[Result, ...]
    skipped: int
    executed: int

    @property
    def failures(self) -> tuple[Result, ...]:
        """Failed runs, with their reasons."""
        return tuple(result for result in self.results if result.status == "failed")


def open_plan(benchmark: Benchmark, store: ResultStore, weights_root: Path, part: Part) -> OpenPlan:
    """Hold the plan of a benchmark against a store.

    Raises:
        UserError: The plan is wrong, or the part names what it does not have.
    """
    runs = plan_runs(benchmark, weights_root, warm_task)
    meant = part.shard.of(part.only.of(runs))
    have = store.select({run.key for run in meant})
    done = {result.key for result in have if result.status == "ok" or not part.retry_failed}
    return OpenPlan(tuple(runs), tuple(meant), tuple(run for run in meant if run.key not in done))


def estimate_plan(plan: OpenPlan, store: ResultStore) -> Estimate:
    """What the runs left may cost, by whatever the store has of the same kind."""
    return estimate(plan.left, store.results())


def run_benchmark(
    benchmark: Benchmark,
    out: Path,
    executor: Executor,
    *,
    part: Part | None = None,
    device: str = "cpu",
    weights_root: Path = DEFAULT_ROOT,
) -> Outcome:
    """Run a benchmark to its end; a second call does what is missing.

    Writes `results/*.json`, one for each run, and `results.csv` of all the plan's results there are.

    Args:
        benchmark: The grid.
        out: Folder of the benchmark; several benchmarks may share it at the same time.
        executor: Where runs are executed.
        part: Which runs; all by default.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        weights_root: Folder of the catalogue's weight files.

    Raises:
        UserError: The plan is wrong, or `out` cannot be written.
    """
    part = part or Part()
    with storing(out):
        files.check_writable(out)
    store = ResultStore(out / "results")
    plan = open_plan(benchmark, store, weights_root, part)
    executed = 0
    with progress_bar() as bar:
        task = bar.add_task(benchmark.name, total=len(plan.meant), completed=len(plan.meant) - len(plan.left), note="")

        def finished(run: PlannedRun, done: Done) -> None:
            nonlocal executed
            executed += done.executed
            result = done.result
            value = f"{result.value:.1f} %" if result.value is not None else f"failed: {result.reason}"
            bar.update(task, advance=1, note=f"{run.label}: {value}"[:60])

        executor.execute(plan.left, store, WorkSettings(out, weights_root, device, part.retry_failed), finished)
    results = tuple(store.select({run.key for run in plan.runs}))
    with storing(out):
        files.write_text(out / "results.csv", results_table(results).to_csv(index=False))
    return Outcome(results, len(plan.meant) - executed, executed)


def judge(benchmark: Benchmark, outcome: Outcome, out: Path) -> list[str]:
    """Write the ranking report of a benchmark, as far as its results allow one.

    Args:
        benchmark: The grid.
        outcome: Its results.
        out: Folder of the report.

    Returns:
        Sentences: a verdict for each task and where the report is, or why there is none.

    Raises:
        StorageError: The report cannot be written.
    """
    if benchmark.target is None:
        return [
            "no report, because no protocol was named as the target to predict; results.csv has every value, and "
            "tools/rank.py can join published targets"
        ]
    try:
        with storing(out):
            report = rank_results(outcome.results, benchmark.target, out)
    except StorageError:
        raise
    except UserError as error:  # results that cannot be judged, or not yet, are results all the same
        return [f"no report: {error}"]
    verdicts = [f"{task}: {verdict}" for task, verdict in report.study.verdicts.items()]
    return [*verdicts, f"report: {out / 'report.html'}"]
