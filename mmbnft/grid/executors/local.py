"""Runs a plan on worker processes of this machine."""

import multiprocessing
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

import torch

from mmbnft.grid.executors.base import POLL_SECONDS, Finished, RunQueue
from mmbnft.grid.plan import PlannedRun
from mmbnft.grid.store import ResultStore, StorageError
from mmbnft.grid.worker import Done, WorkSettings, failed_result, work
from mmbnft.utils.errors import UserError
from mmbnft.utils.memory import keep_freed_memory


@dataclass
class _Worker:
    """A worker process, its number, the pipe to it, and what it is busy with."""

    number: int
    process: BaseProcess
    pipe: Connection
    run: PlannedRun | None = None


class LocalExecutor:
    """Executes runs on `workers` processes, which share one import of the stack and the cores.

    A worker that dies (killed, out of memory) costs the run it was busy with, which is recorded as failed; another
    worker takes its place. Interrupting ends the workers at once; results written before stay.

    Args:
        workers: Number of processes; on several GPUs they take turns.

    Raises:
        UserError: The number of workers is not positive.
    """

    def __init__(self, workers: int) -> None:
        if workers < 1:
            raise UserError(f"the number of workers must be at least 1, got {workers}")
        self.workers = workers

    def execute(
        self, runs: Sequence[PlannedRun], store: ResultStore, settings: WorkSettings, finished: Finished
    ) -> None:
        """As `Executor.execute` says."""
        queue = RunQueue(runs)
        count = min(self.workers, len(runs))
        threads = max(1, (os.cpu_count() or 1) // max(count, 1))
        crew = [_start(number, store, settings, threads) for number in range(count)]
        try:
            while queue or any(worker.run for worker in crew):
                _hand_out(queue, crew)
                for number in _answered(crew, waiting=bool(queue)):
                    worker = crew[number]
                    assert worker.run is not None
                    done = _receive(worker, store, settings)
                    if done is None:
                        queue.later(worker.run)
                    else:
                        finished(worker.run, done)
                    worker.run = None
                    if not worker.process.is_alive():
                        crew[number] = _start(number, store, settings, threads)
        finally:
            for worker in crew:
                worker.process.terminate()
            for worker in crew:
                worker.process.join()


def _start(number: int, store: ResultStore, settings: WorkSettings, threads: int) -> _Worker:
    # One server imports the stack once; every worker is a copy of it, so starting (and replacing) one costs nothing.
    # The server itself never computes, which makes copying it safe.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([work.__module__])
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, number, store, settings, threads), daemon=True)
    process.start()
    theirs.close()
    return _Worker(number, process, ours)


def _hand_out(queue: RunQueue, crew: Sequence[_Worker]) -> None:
    for worker in crew:
        if worker.run is None and (run := queue.next()) is not None:
            worker.run = run
            try:
                worker.pipe.send(run)
            except OSError:  # the worker is gone; `_receive` finds that out and records it
                continue


def _answered(crew: Sequence[_Worker], waiting: bool) -> list[int]:
    """Numbers of the workers that have something to say; waits for one, but not for long if runs wait."""
    busy = {worker.pipe: worker.number for worker in crew if worker.run}
    if not busy:
        time.sleep(POLL_SECONDS / 10)
        return []
    return [busy[pipe] for pipe in wait(list(busy), POLL_SECONDS if waiting else None) if isinstance(pipe, Connection)]


def _receive(worker: _Worker, store: ResultStore, settings: WorkSettings) -> Done | None:
    """The outcome of the worker's run, None if another benchmark is at it; a failed one if the worker died."""
    assert worker.run is not None
    try:
        answer = worker.pipe.recv()
    except (EOFError, OSError):
        worker.process.join()
    else:
        if isinstance(answer, StorageError):
            raise answer
        return answer
    # Its claim died with it, and another benchmark may have taken the run over at once.
    with store.claims.claim(worker.run.key) as granted:
        if not granted:
            return None
        written = store.find(worker.run.key)
        if written is not None and settings.is_done(written):
            return Done(written, executed=True)
        code = worker.process.exitcode or 0
        cause = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        result = failed_result(
            worker.run,
            "environment",
            f"the worker process died ({cause}); retry, with fewer workers if memory ran out",
        )
        store.write(result)
        return Done(result, executed=True)


def _serve(pipe: Connection, number: int, store: ResultStore, settings: WorkSettings, threads: int) -> None:
    """A worker's life: take runs from the pipe until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    torch.set_num_threads(threads)
    keep_freed_memory()
    os.environ["LOCAL_RANK"] = str(number % max(1, torch.cuda.device_count()))  # which GPU `auto` means here
    while True:
        try:
            run = pipe.recv()
            try:
                answer: Done | StorageError | None = work(run, store, settings)
            except StorageError as error:
                answer = error
            pipe.send(answer)
        except (EOFError, OSError):  # the parent is gone; what was finished is on the disk
            return
