"""Grids on Ray."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from stub_jobs import StubJob

from mmbnft.grid.executors import RayExecutor
from mmbnft.grid.executors import ray as ray_executor
from mmbnft.grid.store import ResultStore
from mmbnft.grid.worker import WorkSettings
from mmbnft.utils.errors import UserError


def test_a_killed_node_loses_and_doubles_nothing():
    pytest.importorskip("ray", reason="Ray is an extra")
    # A process that has left a cluster cannot fork any more on Python 3.13, which other tests do.
    command = [sys.executable, "-m", "pytest", "-p", "no:xdist", "-p", "no:cacheprovider"]
    script = str(Path(__file__).with_name("ray_cluster.py"))
    done = subprocess.run([*command, script], capture_output=True, text=True, timeout=600)
    errors = [line for line in done.stdout.splitlines() if line.startswith(("E  ", ">"))]
    assert done.returncode == 0, "\n".join(errors)
    assert "1 passed" in done.stdout


def test_without_ray_the_executor_is_refused_in_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"needs Ray, which is not installed; pip install 'mmbnft\[ray\]'"):
        RayExecutor()


@pytest.mark.parametrize("numbers", [dict(cpus=0), dict(gpus=-1)])
def test_impossible_shares_are_refused(numbers):
    with pytest.raises(UserError, match="a run needs more than 0 CPUs and at least 0 GPUs"):
        RayExecutor(**numbers)


def test_a_run_that_is_lost_every_time_fails_and_others_go_on(make_result, tmp_path):
    """The bookkeeping alone, with a stand-in for the library: one run kills whatever executes it."""

    class Lost(Exception):
        pass

    class Library:
        class exceptions:
            RayTaskError = type("RayTaskError", (Lost,), {})
            RayError = Lost

        def wait(self, references, timeout):
            return references[:1], references[1:]

        def get(self, reference):
            if reference[0].checkpoint == "b":
                raise Lost("the node died\nand more")
            return make_result(reference[0].checkpoint, key=reference[0].key)

        def is_initialized(self):
            return False

    sent, arrived = Counter(), []

    def submit(run):
        sent[run.checkpoint] += 1
        return run, sent[run.checkpoint]

    store = ResultStore(tmp_path / "results")
    session = ray_executor._Session(
        Library(), submit, store, WorkSettings(tmp_path), lambda run, done: arrived.append(done.result)
    )
    session.run(ray_executor.JobQueue([StubJob(name) for name in "abc"]), lambda: 2)
    assert sent == {"a": 1, "b": ray_executor.TRIES, "c": 1}
    assert sorted((r.checkpoint, r.status) for r in store.results()) == [("a", "ok"), ("b", "failed"), ("c", "ok")]
    (failed,) = [r for r in arrived if r.status == "failed"]
    assert failed.reason == "its node or worker was lost 3 times; the last time: the node died"
