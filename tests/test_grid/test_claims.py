"""Claims between real processes, and what work does with them."""

import dataclasses
import errno
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from stub_jobs import StubJob

from mmbnft.grid import claims, worker
from mmbnft.grid.claims import Claims
from mmbnft.grid.executors.base import JobQueue
from mmbnft.grid.filters import Part
from mmbnft.grid.grid import open_jobs
from mmbnft.grid.plan import plan_runs
from mmbnft.grid.store import ResultStore
from mmbnft.grid.worker import WorkSettings, work

KEY, OTHER = "ab" * 32, "cd" * 32


@pytest.fixture
def holder(tmp_path):
    """Starts processes that hold a claim; what they say is whether they got it."""
    started = []

    def start(key):
        command = [sys.executable, str(Path(__file__).parent / "claim_holder.py"), claims.__file__, str(tmp_path), key]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process, process.stdout.readline().strip() == "True"

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_claim_excludes_other_processes_until_its_owner_is_killed(holder, tmp_path):
    mine = Claims(tmp_path)
    process, granted = holder(KEY)
    assert granted
    assert not mine.take(KEY)
    assert mine.take(OTHER)
    assert not holder(OTHER)[1]
    process.kill()
    process.wait()
    assert mine.take(KEY)
    assert not holder(KEY)[1]
    mine.release(KEY)
    assert holder(KEY)[1]


def test_a_claim_does_not_fall_when_another_is_given_back_or_copied(holder, tmp_path):
    mine = Claims(tmp_path)
    assert mine.take(KEY)
    with mine.claim(OTHER) as granted:
        assert granted
    copy = pickle.loads(pickle.dumps(mine))
    assert copy.folder == mine.folder
    assert copy._file is None
    assert not holder(KEY)[1]
    assert holder(OTHER)[1]


def test_file_systems_without_locks_do_without(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(claims.fcntl, "lockf", refuse)
    with Claims(tmp_path).claim(KEY) as granted:
        assert granted


def test_work_leaves_a_claimed_run_and_takes_over_from_the_dead(
    make_benchmark, tmp_path, holder, monkeypatch, make_result
):
    store = ResultStore(tmp_path)
    run = open_jobs(plan_runs(make_benchmark()), store, Part()).left[0]
    attempts = []

    def attempt(run, settings):
        attempts.append(run.key)
        return make_result(run.checkpoint, key=run.key)

    monkeypatch.setattr(worker, "attempt", attempt)
    process, _ = holder(run.key)
    assert work(run, store, WorkSettings(tmp_path)) is None
    assert (attempts, store.results()) == ([], [])
    process.kill()
    process.wait()
    done = work(run, store, WorkSettings(tmp_path))
    assert (done.executed, attempts) == (True, [run.key])
    # A second benchmark that had planned the run too finds its result.
    again = work(run, store, WorkSettings(tmp_path))
    assert (again.executed, again.result, len(attempts)) == (False, done.result, 1)


@pytest.mark.parametrize("retry_failed", [False, True])
def test_a_failure_by_another_benchmark_is_tried_again_only_on_demand(
    make_benchmark, tmp_path, monkeypatch, make_result, retry_failed
):
    store = ResultStore(tmp_path)
    run = open_jobs(plan_runs(make_benchmark()), store, Part()).left[0]
    store.write(run.failed("bug", "it broke"))
    monkeypatch.setattr(worker, "attempt", lambda run, settings: make_result(run.checkpoint, key=run.key))
    done = work(run, store, dataclasses.replace(WorkSettings(tmp_path), retry_failed=retry_failed))
    assert (done.executed, done.result.status) == (retry_failed, "ok" if retry_failed else "failed")


def test_the_queue_asks_again_for_runs_that_were_elsewhere(monkeypatch):
    from mmbnft.grid.executors import base

    now = [0.0]
    monkeypatch.setattr(base.time, "monotonic", lambda: now[0])
    a, b = StubJob("a"), StubJob("b")
    queue = JobQueue([a, b])
    assert queue.next() == a
    queue.later(a)
    assert (len(queue), queue.next(), queue.next()) == (2, b, None)
    now[0] = base.POLL_SECONDS
    assert (queue.next(), queue.next(), len(queue)) == (a, None, 0)


def test_a_process_keeps_to_its_group_and_helps_with_others_at_the_end():
    jobs = [StubJob(f"{group}{number}", group=group) for group in "xy" for number in range(3)]
    queue, latest, taken = JobQueue(jobs), {"one": "", "two": ""}, []
    for who in ("one", "two", "one", "one", "one", "two"):
        job = queue.next(latest[who])
        latest[who] = job.group
        taken.append(job.checkpoint)
    assert taken == ["x0", "y0", "x1", "x2", "y1", "y2"]
    assert list(iter(JobQueue(jobs).next, None)) == jobs
