"""What a person sees of a grid while it runs."""

import time
from types import TracebackType
from typing import TYPE_CHECKING

from mmbnft.grid.job import Job
from mmbnft.grid.worker import Done
from mmbnft.hooks import progress_bar, report
from mmbnft.results import Result
from mmbnft.utils.wording import duration

if TYPE_CHECKING:
    from mmbnft.grid.grid import OpenPlan


class GridProgress:
    """A bar on a terminal; elsewhere one line for each job that is over. Both on standard error.

    Args:
        name: Of the plan.
        plan: What is to be done.

    Attributes:
        executed: Number of jobs executed, as against those found done.
    """

    def __init__(self, name: str, plan: "OpenPlan") -> None:
        self.total, self.over, self.executed = len(plan.left), 0, 0
        self._started = time.monotonic()
        self._bar = progress_bar()
        self._task = self._bar.add_task(name, total=self.total, note="")
        self._counts = f"{name}: {plan.counts}"

    def __enter__(self) -> "GridProgress":
        """Say what there is to do, and show the bar."""
        self._print(self._counts)
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the bar."""
        self._bar.stop()

    def finished(self, job: Job, done: Done) -> None:
        """Tell of a job that is over.

        Args:
            job: The job.
            done: Its outcome.
        """
        self.over += 1
        self.executed += done.executed
        if self._bar.console.is_terminal:
            self._bar.update(self._task, advance=1, note=self._rate)
            if done.result.status == "failed":
                self._print(f"{job.label}: {outcome(done.result)}")
        else:
            self._print(f"[{self.over}/{self.total}] {job.label}: {outcome(done.result)}; {self._left}")

    @property
    def _rate(self) -> str:
        return f"{60 * self.over / max(time.monotonic() - self._started, 1e-9):.1f} runs/min"

    @property
    def _left(self) -> str:
        seconds = (time.monotonic() - self._started) / self.over * (self.total - self.over)
        return f"{self._rate}, about {duration(seconds)} left" if seconds else f"{self._rate}"

    def _print(self, line: str) -> None:
        report(self._bar, line)


def outcome(result: Result) -> str:
    """What came of a job, as short text: its value with the unit, or why it failed.

    Args:
        result: The job's result.
    """
    if result.value is None:
        return f"failed: {result.reason}"
    seconds = result.cost.get("seconds")
    took = "" if seconds is None else f" in {seconds:.1f} s" if seconds < 10 else f" in {duration(seconds)}"
    return f"{result.metric} {result.shown_value}{took}"
