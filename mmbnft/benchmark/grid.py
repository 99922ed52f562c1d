"""Runs a benchmark: plan, skip what is done, execute the rest, export."""

from dataclasses import dataclass
from pathlib import Path

from mmbnft import files
from mmbnft.benchmark.executors import run_locally
from mmbnft.benchmark.plan import Benchmark, PlannedRun, plan_runs
from mmbnft.benchmark.store import ResultStore
from mmbnft.benchmark.worker import warm_task
from mmbnft.hooks import progress_bar
from mmbnft.results import Result, results_table
from mmbnft.zoo import DEFAULT_ROOT


@dataclass(frozen=True)
class Outcome:
    """What a benchmark has on disk after it ended.

    Attributes:
        results: The results of the plan's runs, failed ones included.
        skipped: Number of runs that were done before.
        executed: Number of runs executed now.
    """

    results: tuple[Result, ...]
    skipped: int
    executed: int

    @property
    def failures(self) -> tuple[Result, ...]:
        """Failed runs, with their reasons."""
        return tuple(result for result in self.results if result.status == "failed")


def open_plan(
    benchmark: Benchmark, store: ResultStore, weights_root: Path, retry_failed: bool
) -> tuple[list[PlannedRun], list[PlannedRun]]:
    """All runs of a benchmark, and those of them left to do."""
    runs = plan_runs(benchmark, weights_root, warm_task)
    left = []
    for run in runs:
        result = store.find(run.key)
        if result is None or (retry_failed and result.status == "failed"):
            left.append(run)
    return runs, left


def run_benchmark(
    benchmark: Benchmark,
    out: Path,
    *,
    workers: int,
    retry_failed: bool = False,
    weights_root: Path = DEFAULT_ROOT,
) -> Outcome:
    """Run a benchmark to its end; a second call does what is missing.

    Writes `results/*.json`, one for each run, and `results.csv`.

    Args:
        benchmark: The grid.
        out: Folder of the benchmark.
        workers: Worker processes.
        retry_failed: Whether to run failed ones again.
        weights_root: Folder of the catalogue's weight files.

    Raises:
        UserError: The plan is wrong, or `out` cannot be written.
    """
    files.check_writable(out)
    store = ResultStore(out / "results")
    runs, left = open_plan(benchmark, store, weights_root, retry_failed)
    with progress_bar() as bar:
        task = bar.add_task(benchmark.name, total=len(runs), completed=len(runs) - len(left), note="")

        def finished(run: PlannedRun, result: Result) -> None:
            value = f"{result.value:.1f} %" if result.value is not None else f"failed: {result.reason}"
            bar.update(task, advance=1, note=f"{run.label}: {value}"[:60])

        run_locally(left, store, workers, weights_root, finished)
    results = tuple(store.select({run.key for run in runs}))
    files.write_text(out / "results.csv", results_table(results).to_csv(index=False))
    return Outcome(results, len(runs) - len(left), len(left))
