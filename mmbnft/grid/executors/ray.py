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

import torch

from mmbnft.grid.executors.base import POLL_SECONDS, Finished, JobQueue
from mmbnft.grid.job import Job
from mmbnft.grid.store import ResultStore, storing
from mmbnft.grid.worker import BEST, Done, WorkSettings, attempt
from mmbnft.results import Result
from mmbnft.utils.errors import MachineError, UserError

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

    def check_device(self, device: str, jobs: Sequence[Job] = ()) -> None:
        """Refuse what no node could give a run; which devices the nodes have, only the cluster knows.

        Raises:
            MachineError: A GPU is wanted and none is asked of the cluster.
        """
        if device.startswith("cuda") and not self.gpus:
            raise MachineError(f"device {device!r} needs a GPU for each run; add --gpus-per-run 1, or use --device cpu")

    def execute(self, jobs: Sequence[Job], store: ResultStore, settings: WorkSettings, finished: Finished) -> None:
        """As `Executor.execute` says."""
        ray = _import_ray()
        connect = not ray.is_initialized()
        if connect:
            self._connect(ray)
        threads = max(1, int(self.cpus))
        remote = ray.remote(num_cpus=self.cpus, num_gpus=self.gpus, max_retries=0)(_attempt_there)
        session = _Session(
            ray, lambda job: remote.remote(job, settings, Path.cwd(), threads), store, settings, finished
        )
        try:
            session.run(JobQueue(jobs), lambda: self._slots(ray))
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
        submit: Sends a job to the cluster and gives back the reference of its result.
        store: Where results go.
        settings: How runs are executed.
        finished: Called with each outcome.
        busy: Runs on the cluster, by reference.
        losses: How often a run's node or worker was lost, by key.
    """

    ray: ModuleType
    submit: Callable[[Job], Any]
    store: ResultStore
    settings: WorkSettings
    finished: Finished
    busy: dict[Any, Job] = field(default_factory=dict)
    losses: dict[str, int] = field(default_factory=dict)

    def run(self, queue: JobQueue, slots: Callable[[], int]) -> None:
        """Take every job to a result."""
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
        for reference, job in self.busy.items():
            if self.ray.is_initialized():
                self.ray.cancel(reference, force=True)
            self.store.claims.release(job.key)
        self.busy.clear()

    def _hand_out(self, queue: JobQueue, slots: int) -> None:
        while len(self.busy) < slots and (job := queue.next()) is not None:
            with storing(self.store.folder):
                granted = self.store.claims.take(job.key)
            if not granted:
                queue.later(job)
                continue
            written = self.store.find(job.key)
            if written is not None and self.settings.is_done(written):
                self.store.claims.release(job.key)
                self.finished(job, Done(written, executed=False))
            else:
                self.busy[self.submit(job)] = job

    def _collect(self, reference: Any, queue: JobQueue) -> None:
        job = self.busy[reference]
        result = self._result(reference, job)
        if result is not None:
            self.store.write(result, only_best_weights=self.settings.keep_weights == BEST)
        del self.busy[reference]
        self.store.claims.release(job.key)
        if result is None:
            queue.again(job)
        else:
            self.finished(job, Done(result, executed=True))

    def _result(self, reference: Any, job: Job) -> Result | None:
        """The run's result; None if it shall be tried again.

        Raises:
            MachineError: The node lacks what every job needs.
        """
        try:
            found: Result | MachineError = self.ray.get(reference)
        except self.ray.exceptions.RayTaskError as error:  # not of the run's own making, e.g. a node with a full disk
            reason = f"a node of the cluster could not execute it: {_one_line(error.cause)}"
            return job.failed("environment", reason)
        except self.ray.exceptions.RayError as error:
            self.losses[job.key] = self.losses.get(job.key, 0) + 1
            if self.losses[job.key] < TRIES:
                return None
            reason = f"its node or worker was lost {TRIES} times; the last time: {_one_line(error)}"
            return job.failed("environment", reason)
        if isinstance(found, MachineError):
            raise found
        return found


def _attempt_there(job: Job, settings: WorkSettings, folder: Path, threads: int) -> Result | MachineError:
    """`attempt` on a node, in the driver's working folder; what every job lacks is handed back, not raised."""
    os.chdir(folder)
    torch.set_num_threads(threads)
    try:
        return attempt(job, settings)
    except MachineError as error:
        return error


def _one_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _import_ray() -> ModuleType:
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise UserError(
            "the executor 'ray' needs Ray, which is not installed; pip install 'mmbnft[ray]', or use --executor local"
        ) from error
