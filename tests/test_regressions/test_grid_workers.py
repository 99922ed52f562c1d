"""Worker processes of a grid: they may start processes, die with their parent, and divide the cores by one number."""

import functools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import stub_jobs
from stub_jobs import StubJob

from mmbnft.grid.executors import LocalExecutor, local
from mmbnft.grid.store import ResultStore
from mmbnft.grid.worker import WorkSettings
from mmbnft.utils import cores
from mmbnft.utils.cores import available_cores

STUBS = Path(stub_jobs.__file__)


def execute(tmp_path, jobs, workers=1):
    store, arrived = ResultStore(tmp_path / "results"), []
    executor = LocalExecutor(workers)
    executor.execute(jobs, store, WorkSettings(tmp_path), lambda job, done: arrived.append(done.result))
    return store, arrived


def test_a_worker_may_start_processes(tmp_path):
    _, arrived = execute(tmp_path, [StubJob("a", "start_a_process")])
    assert [(result.status, result.reason) for result in arrived] == [("ok", "")]


@pytest.mark.parametrize("left", [1, 2, 3])
def test_threads_follow_from_the_number_of_workers_whatever_is_left_to_do(tmp_path, monkeypatch, left):
    monkeypatch.setattr(local, "available_cores", lambda: 6)
    _, arrived = execute(tmp_path, [StubJob(f"c{n}", "threads") for n in range(left)], workers=2)
    assert [result.details["threads"] for result in arrived] == [3] * left


def test_more_workers_than_cores_have_a_thread_each(monkeypatch):
    monkeypatch.setattr(local, "available_cores", lambda: 2)
    assert LocalExecutor(5).threads == 1


def test_cores_are_those_that_the_process_may_use(monkeypatch, tmp_path):
    monkeypatch.setattr(cores, "CGROUPS", tmp_path)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)))
    assert available_cores() == 6
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert available_cores() == 6
    (tmp_path / "cpu.max").write_text("250000 100000\n")
    assert available_cores() == 3
    (tmp_path / "cpu.max").unlink()
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("-1")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert available_cores() == 6
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("50000")
    assert available_cores() == 1


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_workers_die_with_their_parent(tmp_path, how):
    command = [sys.executable, str(STUBS), str(tmp_path), "sleep", "compute"]
    # Tests under nohup hand down that SIGHUP is ignored; the parent meant here is one that it ends.
    plain = functools.partial(signal.signal, signal.SIGHUP, signal.SIG_DFL)
    parent = subprocess.Popen(command, stderr=subprocess.DEVNULL, preexec_fn=plain)
    files = [tmp_path / "c0.pid", tmp_path / "c1.pid"]
    try:
        wait_for(lambda: all(file.exists() and file.read_text() for file in files), 240)
        workers = [int(file.read_text()) for file in files]
        assert all(is_alive(worker) for worker in workers)
        os.kill(parent.pid, how)
        parent.wait(timeout=60)
        wait_for(lambda: not any(is_alive(worker) for worker in workers), 20)
    finally:
        parent.kill()


def wait_for(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
