"""Runs a benchmark: plan, skip what is done, execute the rest, export, judge."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmbnft.grid.environment import check_room
from mmbnft.grid.estimate import Estimate, estimate
from mmbnft.grid.executors import Executor
from mmbnft.grid.filters import Part
from mmbnft.grid.job import Job
from mmbnft.grid.plan import Benchmark, plan_runs, warm_task
from mmbnft.grid.progress import GridProgress
from mmbnft.grid.store import PLAN, ResultStore, StorageError, storing
from mmbnft.grid.worker import WorkSettings, is_done
from mmbnft.results import Result, results_table
from mmbnft.utils import files
from mmbnft.utils.command import this_command
from mmbnft.utils.errors import UserError
from mmbnft.utils.wording import counted


@dataclass(frozen=True)
class OpenPlan:
    """A plan beside what a store has of it.

    Attributes:
        jobs: Every job of the plan.
        meant: Those of the part that was asked for.
        left: Those of them that have to be executed.
        failed: Keys of those left that have a failed result, which is tried again.
    """

    jobs: tuple[Job, ...]
    meant: tuple[Job, ...]
    left: tuple[Job, ...]
    failed: frozenset[str] = frozenset()

    @property
    def counts(self) -> str:
        """How many jobs are done, new, and tried again."""
        again = sum(job.key in self.failed for job in self.left)
        done, new = len(self.meant) - len(self.left), len(self.left) - again
        return f"{len(self.meant)} runs: {done} done, {new} new, {again} to retry"

    @property
    def text(self) -> str:
        """One line for each job that is meant, and their counts."""
        left = {job.key for job in self.left}
        lines = []
        for job in self.meant:
            state = "retry" if job.key in self.failed else "new" if job.key in left else "done"
            lines.append(f"{state:5}  {job.key[:16]}  {job.label}")
        return "\n".join([*lines, self.counts])


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

    @property
    def failure_lines(self) -> list[str]:
        """One line for each kind of failure: how many, and the reason of the first."""
        kinds: dict[str, list[Result]] = {}
        for result in self.failures:
            kinds.setdefault(result.kind, []).append(result)
        return [
            f"failed ({kind}): {counted(len(found), 'run')}, e.g. {found[0].checkpoint} {found[0].task} "
            f"{found[0].protocol}: {found[0].reason}"
            for kind, found in sorted(kinds.items(), key=lambda item: -len(item[1]))
        ]


def open_jobs(jobs: Sequence[Job], store: ResultStore, part: Part, retry_failed: bool = False) -> OpenPlan:
    """Hold planned jobs against a store.

    Args:
        jobs: The plan.
        store: Where results are.
        part: Which jobs are meant.
        retry_failed: Whether failed jobs count as missing, whatever the kind of their failure.

    Raises:
        UserError: The part names what the plan does not have.
    """
    meant = part.shard.of(part.only.of(jobs))
    have = {result.key: result for result in store.select({job.key: job.names for job in meant})}
    done = {key for key, result in have.items() if is_done(result, retry_failed)}
    left = tuple(job for job in meant if job.key not in done)
    return OpenPlan(tuple(jobs), tuple(meant), left, frozenset(have) - done)


def estimate_plan(plan: OpenPlan, store: ResultStore) -> Estimate:
    """What the jobs left may cost, by whatever the store has of the same kind."""
    return estimate(plan.left, store.results())


def check_environment(executor: Executor, settings: WorkSettings) -> None:
    """Make sure, before a plan is made, that the machine has what every job needs.

    Args:
        executor: Where jobs will be executed.
        settings: How; the work dir is made if needed.

    Raises:
        MachineError: The folder cannot be written, the disk is full, or the device is not there.
    """
    check_room(settings.work_dir)
    executor.check_device(settings.device)


def run_benchmark(
    benchmark: Benchmark, executor: Executor, settings: WorkSettings, part: Part | None = None
) -> Outcome:
    """Run a benchmark to its end; a second call continues, tries again what the machine spoilt, or extends.

    Args:
        benchmark: The grid.
        executor: Where runs are executed.
        settings: How. Several benchmarks may share its work dir at the same time.
        part: Which runs; all by default.

    Raises:
        MachineError: The machine lacks what every run needs, such as the device or room on the disk.
        UserError: The plan is wrong.
    """
    check_environment(executor, settings)
    return run_jobs(benchmark.name, plan_runs(benchmark, warm_task), executor, settings, part)


def run_jobs(
    name: str, jobs: Sequence[Job], executor: Executor, settings: WorkSettings, part: Part | None = None
) -> Outcome:
    """Execute what is missing of a plan, after `check_environment`.

    Writes `results/*.json`, one for each job, `results.csv` of all the plan's results there are, and `grid.json`, which
    says how many there will be.

    Args:
        name: Of the plan, for the progress bar.
        jobs: The plan.
        executor: Where jobs are executed.
        settings: How. Several processes may share its work dir at the same time.
        part: Which jobs; all by default.

    Raises:
        MachineError: The machine lacks what every job needs, such as the device or room on the disk.
        UserError: The part names what the plan does not have.
    """
    executor.check_device(settings.device, jobs)
    out = settings.work_dir
    store = ResultStore(out / "results")
    names = {job.key: job.names for job in jobs}
    store.adopt(names)
    plan = open_jobs(jobs, store, part or Part(), settings.retry_failed)
    with storing(out):
        files.write_json(out / PLAN, {"name": name, "runs": len(jobs)})
    with GridProgress(name, plan) as progress:
        executor.execute(plan.left, store, settings, progress.finished)
    results = tuple(store.select(names))
    with storing(out):
        files.write_text(out / "results.csv", results_table(results).to_csv(index=False))
    return Outcome(results, len(plan.meant) - progress.executed, progress.executed)


def judge(benchmark: Benchmark, outcome: Outcome, out: Path) -> list[str]:
    """Write the ranking report of a benchmark, as far as its results allow one.

    Args:
        benchmark: The grid.
        outcome: Its results.
        out: Folder of the report.

    Returns:
        Sentences: which checkpoint to take, at what risk, and where the report is, or why there is none.

    Raises:
        StorageError: The report cannot be written.
    """
    # Its libraries would double the start of every grid.
    from mmbnft.ranking import rank_results
    from mmbnft.ranking.table import DEFAULT_TARGET

    target = benchmark.target or DEFAULT_TARGET
    try:
        with storing(out):
            known = benchmark.stated.catalogue
            report = rank_results(outcome.results, target, out, made=this_command(), past=out.parent, catalogue=known)
    except StorageError:
        raise
    except UserError as error:  # results that cannot be judged, or not yet, are results all the same
        return [f"no report: {error}"]
    return report.summary
