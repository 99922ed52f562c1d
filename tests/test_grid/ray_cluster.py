"""A grid on a Ray cluster of two nodes, one of which is killed: a process of its own, started by `test_ray.py`."""

import contextlib
import os
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from mmbnft.grid.executors import RayExecutor
from mmbnft.grid.executors import ray as ray_executor
from mmbnft.grid.filters import Part
from mmbnft.grid.grid import open_jobs
from mmbnft.grid.plan import plan_runs
from mmbnft.grid.store import ResultStore
from mmbnft.grid.worker import WorkSettings
from mmbnft.recipes.recipe import Recipe

MEMORY = 100 * 2**20


@pytest.fixture
def cluster(monkeypatch):
    """Two nodes with one CPU each; the driver is on the first."""
    import ray
    from ray.cluster_utils import Cluster

    settings = dict(USAGE_STATS_ENABLED="0", ENABLE_UV_RUN_RUNTIME_ENV="0")
    for name, value in settings.items():
        monkeypatch.setenv(f"RAY_{name}", value)
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    node = dict(num_cpus=1, num_gpus=0, object_store_memory=MEMORY, include_dashboard=False)
    found = Cluster(initialize_head=True, head_node_args=node)
    found.add_node(**node)
    ray.init(address=found.address, log_to_driver=False, logging_level="ERROR")
    yield found
    ray.shutdown()
    found.shutdown()


def lose(cluster, node):
    """Kill a node with its workers, which would outlive it for a while and could bring their runs to an end."""
    raylet = node.all_processes["raylet"][0].process.pid
    workers = [pid for path in Path(f"/proc/{raylet}/task").glob("*/children") for pid in path.read_text().split()]
    cluster.remove_node(node, allow_graceful=False)
    for pid in workers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)


def test_a_killed_node_loses_and_doubles_nothing(cluster, make_benchmark, weights, tmp_path, monkeypatch):
    import ray

    store = ResultStore(tmp_path / "results")
    # Runs of seconds, so that a node can be killed in the middle of one, and so many that the second node, which may
    # take its time to start, is there long before the last.
    recipe = Recipe("test", epochs=30, batch_size=8, optimizer=dict(type="SGD", lr=0.001))
    changes = dict(recipe=recipe, checkpoints=tuple(weights), protocols=("bn", "finetune"), seeds=(0, 1, 2))
    benchmark = make_benchmark(**changes)
    plan = open_jobs(plan_runs(benchmark), store, Part())
    arrived, sessions, killed = [], [], []
    run_session = ray_executor._Session.run

    def remember(session, *arguments):
        sessions.append(session)
        run_session(session, *arguments)

    def assassin():
        deadline = time.monotonic() + 400
        while time.monotonic() < deadline and len(arrived) < len(plan.jobs):
            busy = set(sessions[0].busy) if sessions and arrived else set()
            time.sleep(0.5)
            # A result is there, and both nodes have been at a run for a while: the middle of the grid.
            if len(busy) == 2 and busy == set(sessions[0].busy) and ray.available_resources().get("CPU", 0) == 0:
                lose(cluster, next(iter(cluster.worker_nodes)))
                killed.append(len(arrived))
                return

    monkeypatch.setattr(ray_executor._Session, "run", remember)
    thread = threading.Thread(target=assassin)
    thread.start()
    settings = WorkSettings(tmp_path)
    RayExecutor().execute(plan.left, store, settings, lambda run, done: arrived.append((run.key, done)))
    thread.join()
    assert killed
    assert 1 <= killed[0] < len(plan.jobs)
    assert sum(sessions[0].losses.values()) == 1
    assert Counter(key for key, _ in arrived) == Counter(run.key for run in plan.jobs)
    assert [done.result.status for _, done in arrived] == ["ok"] * len(plan.jobs)
    assert all(done.executed for _, done in arrived)
    assert len(list(store.folder.glob("*.json"))) == len(plan.jobs)
    assert open_jobs(plan_runs(benchmark), store, Part()).left == ()
