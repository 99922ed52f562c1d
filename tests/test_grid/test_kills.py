"""Many processes on one store, killed at random moments: nothing lost, nothing doubled, nothing half-written."""

import os
import random
import signal
import time
from collections import Counter

import pytest

from mmbnft.grid import worker
from mmbnft.grid.filters import Part
from mmbnft.grid.grid import open_jobs
from mmbnft.grid.plan import plan_runs
from mmbnft.grid.store import ResultStore
from mmbnft.grid.worker import WorkSettings, work
from mmbnft.results import read_result

PROCESSES = 3
KILLS = 60


@pytest.fixture
def plan_of_many(make_benchmark, tmp_path):
    store = ResultStore(tmp_path / "results")
    return store, open_jobs(plan_runs(make_benchmark(seeds=tuple(range(20)))), store, Part()).jobs


def live(runs, store, log, make_result):
    """A process's life: every run of the plan until all are done, each execution logged with its end."""

    def attempt(run, settings):
        log_line(log, "start", run.key)
        time.sleep(random.uniform(0, 0.01))
        log_line(log, "end", run.key)
        return make_result(
            run.checkpoint, key=run.key, protocol=run.protocol, seed=run.spec.seed, details=dict(x="y" * 9000)
        )

    worker.attempt = attempt
    random.seed(os.getpid())
    left = list(runs)
    while left:
        left = [run for run in left if work(run, store, WorkSettings(store.folder)) is None]
    os._exit(0)


def log_line(log, what, key):
    # Appending one short line is atomic.
    with log.open("a") as stream:
        stream.write(f"{what} {os.getpid()} {key}\n")


def spawn(*arguments):
    pid = os.fork()
    if pid == 0:
        try:
            live(*arguments)
        finally:
            os._exit(1)
    return pid


def test_sixty_kills_lose_and_double_nothing(plan_of_many, make_result, tmp_path):
    store, runs = plan_of_many
    log = tmp_path / "log"
    arguments = (runs, ResultStore(store.folder), log, make_result)
    dice = random.Random(0)
    alive = [spawn(*arguments) for _ in range(PROCESSES)]
    killed = []
    for _ in range(KILLS):
        time.sleep(dice.uniform(0, 0.03))
        victim = alive.pop(dice.randrange(len(alive)))
        os.kill(victim, signal.SIGKILL)
        os.waitpid(victim, 0)
        killed.append(victim)
        alive.append(spawn(*arguments))
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in alive] == [0] * PROCESSES
    files = sorted(store.folder.glob("*.json"))
    results = [read_result(path) for path in files]  # raises if one is half-written
    assert Counter(result.key for result in results) == Counter(run.key for run in runs)
    assert len(files) == len(runs)
    check_executions(log.read_text().split("\n")[:-1], killed)


def check_executions(lines, killed):
    """No two living processes were at one run, and a run was executed again only if its process had been killed."""
    at: dict[str, str] = {}
    ended: dict[str, list[str]] = {}
    for line in lines:
        what, pid, key = line.split()
        if what == "start":
            before = at.get(key)
            assert before is None or int(before) in killed, "two processes were at one run"
            assert all(int(other) in killed for other in ended.get(key, [])), "a finished run was executed again"
            at[key] = pid
        else:
            assert at.pop(key) == pid
            ended.setdefault(key, []).append(pid)
