"""What every executor is: something that takes jobs to their results."""

import itertools
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from mmbnft.grid.job import Job
from mmbnft.grid.store import ResultStore
from mmbnft.grid.worker import Done, WorkSettings

Finished = Callable[[Job, Done], None]
POLL_SECONDS = 1.0


class Executor(Protocol):
    """Executes jobs somewhere and leaves their results in a store."""

    def check_device(self, device: str, jobs: Sequence[Job] = ()) -> None:
        """Make sure, before hours are spent, that jobs will find a device and precision where they are executed.

        Args:
            device: `auto`, `cpu`, `cuda` or `cuda:N`.
            jobs: What is to be executed, as far as it is known.

        Raises:
            MachineError: They will not.
        """

    def execute(self, jobs: Sequence[Job], store: ResultStore, settings: WorkSettings, finished: Finished) -> None:
        """Take every job to a result; a failure is one too.

        Jobs that another benchmark on the same store is at are waited for, and taken over if it ends without a result.

        Args:
            jobs: What is left to do.
            store: Where results go.
            settings: How jobs are executed.
            finished: Called with each job and its outcome as it arrives.

        Raises:
            MachineError: The executor cannot work, or the machine lacks what every job needs.
        """


class JobQueue:
    """Jobs that wait, those claimed by other processes until it is worth asking again.

    Args:
        jobs: In the order to be executed.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._ready = deque(jobs)
        self._elsewhere: deque[tuple[float, Job]] = deque()
        self._begun: set[str] = set()

    def __len__(self) -> int:
        """Jobs that wait, for whatever reason."""
        return len(self._ready) + len(self._elsewhere)

    def next(self, latest: str | None = None) -> Job | None:
        """A job to be tried now, or None.

        Args:
            latest: Group of the job that the asking process did last: another of that group comes first, and else one
                of a group that no process has begun. Without it, jobs come in their order.
        """
        if self._ready:
            job = self._ready[0] if latest is None else self._best_for(latest)
            self._ready.remove(job)
            self._begun.add(job.group)
            return job
        if self._elsewhere and self._elsewhere[0][0] <= time.monotonic():
            return self._elsewhere.popleft()[1]
        return None

    def _best_for(self, latest: str) -> Job:
        same = (job for job in self._ready if job.group == latest)
        fresh = (job for job in self._ready if job.group not in self._begun)
        return next(itertools.chain(same, fresh, self._ready))

    def again(self, job: Job) -> None:
        """Put back a job that failed for no reason of its own."""
        self._ready.append(job)

    def later(self, job: Job) -> None:
        """Put back a job that another process is at."""
        self._elsewhere.append((time.monotonic() + POLL_SECONDS, job))
