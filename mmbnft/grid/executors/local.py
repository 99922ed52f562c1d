"""Executes jobs on worker processes of this machine."""

import multiprocessing
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

import torch

from mmbnft.grid.environment import check_device
from mmbnft.grid.executors.base import POLL_SECONDS, Finished, JobQueue
from mmbnft.grid.job import Job
from mmbnft.grid.store import ResultStore
from mmbnft.grid.worker import TRIED_AGAIN, Done, WorkSettings, work
from mmbnft.utils.cores import available_cores
from mmbnft.utils.errors import MachineError, UserError
from mmbnft.utils.lifetime import die_with_parent
from mmbnft.utils.memory import keep_freed_memory

# Workers that die one after the other, with no result between them, would die of every job.
DEATHS_IN_A_ROW = 3
# What workers are copies of has this imported: plan.py and with it the whole stack.
PRELOAD = ["mmbnft.grid.plan", "mmbnft.grid.worker"]


@dataclass
class _Worker:
    """A worker process, the pipe to it, what it is busy with, and the group of what it did last."""

    process: BaseProcess
    pipe: Connection
    job: Job | None = None
    group: str = ""


class LocalExecutor:
    """Executes jobs on `workers` processes, which share one import of the stack and the cores.

    Every worker gets an even share of the cores that this process may use, and that share depends on nothing but
    `workers`: numbers of threads can change results in their last digits, and training can make those grow.

    A worker that dies (killed, out of memory) costs the job it was busy with, which is recorded as failed and tried
    again by the next command; another worker takes its place. Workers end with this process, however it ends; results
    written before stay.

    Args:
        workers: Number of processes; on several GPUs they take turns.

    Raises:
        UserError: The number of workers is not positive.
    """

    def __init__(self, workers: int) -> None:
        if workers < 1:
            raise UserError(f"the number of workers must be at least 1, got {workers}")
        self.workers = workers

    @property
    def threads(self) -> int:
        """Threads of one worker."""
        return max(1, available_cores() // self.workers)

    def check_device(self, device: str, jobs: Sequence[Job] = ()) -> None:
        """As `Executor.check_device` says."""
        check_device(device, jobs)

    def execute(self, jobs: Sequence[Job], store: ResultStore, settings: WorkSettings, finished: Finished) -> None:
        """As `Executor.execute` says."""
        queue, crew = JobQueue(jobs), _Crew(store, settings, self.threads)
        try:
            crew.hire(min(self.workers, len(jobs)))
            while queue or crew.is_busy:
                crew.hand_out(queue)
                for number in crew.answered(waiting=bool(queue)):
                    job, done = crew.receive(number)
                    if done is None:
                        queue.later(job)
                    else:
                        finished(job, done)
        finally:
            crew.end()


class _Crew:
    """The worker processes of one execution.

    Args:
        store: Where results go.
        settings: How jobs are executed.
        threads: Threads of each worker.
    """

    def __init__(self, store: ResultStore, settings: WorkSettings, threads: int) -> None:
        self.store, self.settings, self.threads = store, settings, threads
        self.workers: list[_Worker] = []
        self.deaths = 0

    def hire(self, count: int) -> None:
        """Start workers."""
        for number in range(count):
            self.workers.append(self._start(number))

    def _start(self, number: int) -> _Worker:
        # One server imports the stack once; every worker is a copy of it, so starting (and replacing) one costs
        # nothing. The server itself never computes, which makes copying it safe.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOAD)
        ours, theirs = context.Pipe()
        # No daemon: those may not start processes, which a job may do. `die_with_parent` sees to its end instead.
        process = context.Process(target=_serve, args=(theirs, number, self.store, self.settings, self.threads))
        process.start()
        theirs.close()
        return _Worker(process, ours)

    @property
    def is_busy(self) -> bool:
        """Whether a worker has a job."""
        return any(worker.job is not None for worker in self.workers)

    def hand_out(self, queue: JobQueue) -> None:
        """Give a job to every worker without one, as far as there are any."""
        for worker in self.workers:
            if worker.job is None and (job := queue.next(worker.group)) is not None:
                worker.job, worker.group = job, job.group
                try:
                    worker.pipe.send(job)
                except OSError:  # the worker is gone; `receive` finds that out and records it
                    continue

    def answered(self, waiting: bool) -> list[int]:
        """Numbers of the workers that have something to say; waits for one, but not for long if jobs wait."""
        busy = {worker.pipe: number for number, worker in enumerate(self.workers) if worker.job is not None}
        if not busy:
            time.sleep(POLL_SECONDS / 10)
            return []
        ready = wait(list(busy), POLL_SECONDS if waiting else None)
        return [busy[pipe] for pipe in ready if isinstance(pipe, Connection)]

    def receive(self, number: int) -> tuple[Job, Done | None]:
        """The job of a worker and its outcome; None if another benchmark is at it.

        Raises:
            MachineError: The machine lacks what every job needs.
        """
        worker = self.workers[number]
        assert worker.job is not None
        job, worker.job = worker.job, None
        try:
            answer = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join()
            done = self._bury(job, worker.process.exitcode or 0)
            self.workers[number] = self._start(number)
            return job, done
        if isinstance(answer, MachineError):
            raise answer
        self.deaths = 0
        if answer is not None and answer.executed and answer.result.kind in TRIED_AGAIN:
            # What spoilt this job (a broken CUDA context, memory in pieces) would spoil the process's next one.
            _end([worker])
            self.workers[number] = self._start(number)
        return job, answer

    def _bury(self, job: Job, code: int) -> Done | None:
        """What became of the job of a worker that died."""
        cause = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        self.deaths += 1
        if self.deaths >= DEATHS_IN_A_ROW:
            raise MachineError(
                f"{self.deaths} worker processes died one after the other (the last one: {cause}, at {job.label}), so "
                "the others are not tried; give the same command again with fewer --workers if memory ran out"
            )
        # Its claim died with it, and another benchmark may have taken the job over at once.
        with self.store.claims.claim(job.key) as granted:
            if not granted:
                return None
            written = self.store.find(job.key)
            if written is not None and self.settings.is_done(written):
                return Done(written, executed=True)
            advice = "the same command tries it again; give fewer --workers if memory ran out"
            result = job.failed("environment", f"the worker process died ({cause}); {advice}")
            self.store.write(result)
            return Done(result, executed=True)

    def end(self) -> None:
        """End all workers at once."""
        _end(self.workers)


def _end(workers: Sequence[_Worker]) -> None:
    for worker in workers:
        worker.process.terminate()
        worker.pipe.close()
    for worker in workers:
        worker.process.join()


def _serve(pipe: Connection, number: int, store: ResultStore, settings: WorkSettings, threads: int) -> None:
    """A worker's life: take jobs from the pipe until it closes."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    torch.set_num_threads(threads)
    keep_freed_memory()
    os.environ["LOCAL_RANK"] = str(number % max(1, torch.cuda.device_count()))  # which GPU `auto` means here
    while True:
        try:
            job = pipe.recv()
            try:
                answer: Done | MachineError | None = work(job, store, settings)
            except MachineError as error:
                answer = error
            pipe.send(answer)
        except (EOFError, OSError):  # the parent is gone; what was finished is on the disk
            return
