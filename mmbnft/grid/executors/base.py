"""What every executor is: something that takes runs to their results."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from mmbnft.grid.plan import PlannedRun
from mmbnft.grid.store import ResultStore
from mmbnft.grid.worker import Done, WorkSettings

Finished = Callable[[PlannedRun, Done], None]
POLL_SECONDS = 1.0


class Executor(Protocol):
    """Executes runs somewhere and leaves their results in a store."""

    def execute(
        self, runs: Sequence[PlannedRun], store: ResultStore, settings: WorkSettings, finished: Finished
    ) -> None:
        """Take every run to a result; a failure is one too.

        Runs that another benchmark on the same store is at are waited for, and taken over if it ends without a result.

        Args:
            runs: What is left to do.
            store: Where results go.
            settings: How runs are executed.
            finished: Called with each run and its outcome as it arrives.

        Raises:
            UserError: The executor cannot work, or results can no longer be written (`StorageError`).
        """


class RunQueue:
    """Runs that wait, those claimed by other processes until it is worth asking again.

    Args:
        runs: In the order to be executed.
    """

    def __init__(self, runs: Sequence[PlannedRun]) -> None:
        self._ready = deque(runs)
        self._elsewhere: deque[tuple[float, PlannedRun]] = deque()

    def __len__(self) -> int:
        """Runs that wait, for whatever reason."""
        return len(self._ready) + len(self._elsewhere)

    def next(self) -> PlannedRun | None:
        """A run to be tried now, or None."""
        if self._ready:
            return self._ready.popleft()
        if self._elsewhere and self._elsewhere[0][0] <= time.monotonic():
            return self._elsewhere.popleft()[1]
        return None

    def again(self, run: PlannedRun) -> None:
        """Put back a run that failed for no reason of its own."""
        self._ready.append(run)

    def later(self, run: PlannedRun) -> None:
        """Put back a run that another process is at."""
        self._elsewhere.append((time.monotonic() + POLL_SECONDS, run))
