"""Runs a plan on worker processes of this machine."""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from mmbnft.benchmark.plan import PlannedRun
from mmbnft.benchmark.store import ResultStore
from mmbnft.benchmark.worker import failed_result, work
from mmbnft.errors import UserError
from mmbnft.memory import keep_freed_memory
from mmbnft.results import Result


@dataclass
class _Worker:
    """A worker process, the pipe to it, and what it is busy with."""

    process: BaseProcess
    pipe: Connection
    run: PlannedRun | None = None


def run_locally(
    runs: Sequence[PlannedRun],
    store: ResultStore,
    workers: int,
    weights_root: Path,
    finished: Callable[[PlannedRun, Result], None],
) -> None:
    """Execute runs on `workers` processes, which share one import of the stack and the cores.

    A worker that dies (killed, out of memory) costs the run it was busy with, which is recorded as failed; another
    worker takes its place. Interrupting ends the workers at once; results written before stay.

    Args:
        runs: What is left to do.
        store: Where workers write results.
        workers: Number of processes.
        weights_root: Folder of the catalogue's weight files.
        finished: Called with each run and its result as it arrives.

    Raises:
        UserError: The number of workers is not positive.
    """
    if workers < 1:
        raise UserError(f"the number of workers must be at least 1, got {workers}")
    waiting = deque(runs)
    count = min(workers, len(waiting))
    threads = max(1, (os.cpu_count() or 1) // max(count, 1))
    crew = [_start(store, weights_root, threads) for _ in range(count)]
    try:
        while waiting or any(worker.run for worker in crew):
            for worker in crew:
                if worker.run is None and waiting:
                    worker.run = waiting.popleft()
                    _send(worker)
            for pipe in wait([worker.pipe for worker in crew if worker.run]):
                index = next(i for i, worker in enumerate(crew) if worker.pipe is pipe)
                worker = crew[index]
                assert worker.run is not None
                result = _receive(worker, store)
                finished(worker.run, result)
                worker.run = None
                if not worker.process.is_alive():
                    crew[index] = _start(store, weights_root, threads)
    finally:
        for worker in crew:
            worker.process.terminate()
        for worker in crew:
            worker.process.join()


def _start(store: ResultStore, weights_root: Path, threads: int) -> _Worker:
    # One server imports the stack once; every worker is a copy of it, so starting (and replacing) one costs nothing.
    # The server itself never computes, which makes copying it safe.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([work.__module__])
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, store, weights_root, threads), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _send(worker: _Worker) -> None:
    try:
        worker.pipe.send(worker.run)
    except OSError:  # the worker is gone; `_receive` finds that out and records it
        return


def _receive(worker: _Worker, store: ResultStore) -> Result:
    """The result of the worker's run; a failed one if the worker died without writing any."""
    assert worker.run is not None
    try:
        return worker.pipe.recv()
    except (EOFError, OSError):
        worker.process.join()
    written = store.find(worker.run.key)
    if written is not None and written.status == "ok":
        return written
    code = worker.process.exitcode or 0
    cause = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
    result = failed_result(
        worker.run, f"the worker process died ({cause}); retry, with fewer workers if memory ran out"
    )
    store.write(result)
    return result


def _serve(pipe: Connection, store: ResultStore, weights_root: Path, threads: int) -> None:
    """A worker's life: take runs from the pipe until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    torch.set_num_threads(threads)
    keep_freed_memory()
    while True:
        try:
            run = pipe.recv()
            pipe.send(work(run, store, weights_root))
        except (EOFError, OSError):  # the parent is gone; what was finished is on the disk
            return
