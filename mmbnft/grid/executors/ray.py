"""Runs a plan on a Ray cluster: an extra, `pip install mmbnft[ray]`."""

import importlib
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from mmbnft.grid.executors.base import POLL_SECONDS, Finished, RunQueue
from mmbnft.grid.plan import PlannedRun
from mmbnft.grid.store import ResultStore, storing
from mmbnft.grid.worker import Done, WorkSettings, attempt, failed_result
from mmbnft.results import Result
from mmbnft.utils.errors import UserError

TRIES = 3  # a node may be lost under a run; a run that loses every node it meets is the reason itself


@dataclass(frozen=True)
class RayExecutor:
    """Executes runs as tasks of a Ray cluster; this process writes their results.

    Every node needs mmbnft, and the working folder with tasks and weights at the same path. Workers keep what they
    imported and read for the next run. A run whose node or worker process is lost is executed again, up to `TRIES`
    times in all.

    Attributes:
        address: Address of a running cluster, `auto` for the one of this machine; None starts one on this machine, or
            uses the one this process is connected to.
        cpus: CPU cores of one run.
        gpus: GPUs of one run; 0.5 lets two runs share one.

    Raises:
        UserError: A number is out of range, or Ray is not installed.
    """

    address: str | None = None
    cpus: float = 1
    gpus: float = 0

    def __post_init__(self) -> None:
        """Refuse what Ray would only complain of later."""
        if self.cpus <= 0 or self.gpus < 0:
            raise UserError(f"a run needs more than 0 CPUs and at least 0 GPUs, got {self.cpus} and {self.gpus}")
        _import_ray()

    def execute(
        self, runs: Sequence[PlannedRun], store: ResultStore, settings: WorkSettings, finished: Finished
    ) -> None:
        """As `Executor.execute` says."""
        ray = _import_ray()
        connect = not ray.is_initialized()
        if connect:
            self._connect(ray)
        remote = ray.remote(num_cpus=self.cpus, num_gpus=self.gpus, max_retries=0)(_attempt_there)
        session = _Session(ray, lambda run: remote.remote(run, settings, Path.cwd()), store, settings, finished)
        try:
            session.run(RunQueue(runs), lambda: self._slots(ray))
        except ray.exceptions.RayError as error:
            raise UserError(f"the Ray cluster is gone ({_one_line(error)}); the same command continues") from error
        finally:
            session.cancel()
            if connect:
                ray.shutdown()

    def _connect(self, ray: ModuleType) -> None:
        # Its dashboard and the workers' own output would only get into the way of the progress bar.
        local = {"include_dashboard": False} if self.address is None else {}
        try:
            ray.init(address=self.address, log_to_driver=False, logging_level=logging.ERROR, **local)
        except (ConnectionError, ValueError, RuntimeError, OSError) as error:
            raise UserError(
                f"no Ray cluster answers at {self.address or 'this machine'} ({_one_line(error)}); start one with "
                "ray start --head, or leave the address away"
            ) from error

    def _slots(self, ray: ModuleType) -> int:
        """Runs that the cluster can hold at once, as it is now; at least one, which then waits for a node."""
        have = ray.cluster_resources()
        slots = have.get("CPU", 0) // self.cpus
        return max(1, int(min(slots, have.get("GPU", 0) // self.gpus) if self.gpus else slots))


@dataclass
class _Session:
    """One plan on one cluster.

    Attributes:
        ray: The library.
        submit: Sends a run to the cluster and gives back the reference of its result.
        store: Where results go.
        settings: How runs are executed.
        finished: Called with each outcome.
        busy: Runs on the cluster, by reference.
        losses: How often a run's node or worker was lost, by key.
    """

    ray: ModuleType
    submit: Callable[[PlannedRun], Any]
    store: ResultStore
    settings: WorkSettings
    finished: Finished
    busy: dict[Any, PlannedRun] = field(default_factory=dict)
    losses: dict[str, int] = field(default_factory=dict)

    def run(self, queue: RunQueue, slots: Callable[[], int]) -> None:
        """Take every run to a result."""
        while queue or self.busy:
            self._hand_out(queue, slots())
            if not self.busy:
                time.sleep(POLL_SECONDS / 10)
                continue
            ready, _ = self.ray.wait(list(self.busy), timeout=POLL_SECONDS)
            for reference in ready:
                self._collect(reference, queue)

    def cancel(self) -> None:
        """End what is still on the cluster and give its claims back."""
        for reference, run in self.busy.items():
            if self.ray.is_initialized():
                self.ray.cancel(reference, force=True)
            self.store.claims.release(run.key)
        self.busy.clear()

    def _hand_out(self, queue: RunQueue, slots: int) -> None:
        while len(self.busy) < slots and (run := queue.next()) is not None:
            with storing(self.store.folder):
                granted = self.store.claims.take(run.key)
            if not granted:
                queue.later(run)
                continue
            written = self.store.find(run.key)
            if written is not None and self.settings.is_done(written):
                self.store.claims.release(run.key)
                self.finished(run, Done(written, executed=False))
            else:
                self.busy[self.submit(run)] = run

    def _collect(self, reference: Any, queue: RunQueue) -> None:
        run = self.busy[reference]
        result = self._result(reference, run)
        if result is not None:
            self.store.write(result)
        del self.busy[reference]
        self.store.claims.release(run.key)
        if result is None:
            queue.again(run)
        else:
            self.finished(run, Done(result, executed=True))

    def _result(self, reference: Any, run: PlannedRun) -> Result | None:
        """The run's result; None if it shall be tried again."""
        try:
            return self.ray.get(reference)
        except self.ray.exceptions.RayTaskError as error:  # not of the run's own making, e.g. a node with a full disk
            reason = f"a node of the cluster could not execute it: {_one_line(error.cause)}"
            return failed_result(run, "environment", reason)
        except self.ray.exceptions.RayError as error:
            self.losses[run.key] = self.losses.get(run.key, 0) + 1
            if self.losses[run.key] < TRIES:
                return None
            reason = f"its node or worker was lost {TRIES} times; the last time: {_one_line(error)}"
            return failed_result(run, "environment", reason)


def _attempt_there(run: PlannedRun, settings: WorkSettings, folder: Path) -> Result:
    """`attempt` on a node, in the driver's working folder."""
    os.chdir(folder)
    return attempt(run, settings)


def _one_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _import_ray() -> ModuleType:
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise UserError(
            "the executor 'ray' needs Ray, which is not installed; pip install 'mmbnft[ray]', or use --executor local"
        ) from error
