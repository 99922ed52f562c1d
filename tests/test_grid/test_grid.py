import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

from mmbnft.grid.executors import LocalExecutor
from mmbnft.grid.filters import Part
from mmbnft.grid.grid import open_jobs, run_benchmark
from mmbnft.grid.plan import plan_runs
from mmbnft.grid.store import ResultStore
from mmbnft.grid.worker import WorkSettings, work
from mmbnft.results import COLUMNS
from mmbnft.utils.errors import UserError


def test_a_benchmark_runs_exports_and_does_nothing_twice(make_benchmark, tmp_path):
    out = WorkSettings(tmp_path / "out")
    first = run_benchmark(make_benchmark(), LocalExecutor(2), out)
    assert (first.executed, first.skipped, first.failures) == (6, 0, ())
    table = pd.read_csv(out.work_dir / "results.csv")
    assert tuple(table.columns) == COLUMNS
    assert len(table) == 6
    assert table["cost_seconds"].gt(0).all()
    again = run_benchmark(make_benchmark(), LocalExecutor(2), out)
    assert (again.executed, again.skipped) == (0, 6)
    more = run_benchmark(make_benchmark(protocols=("linear", "bn", "finetune")), LocalExecutor(2), out)
    assert (more.executed, more.skipped) == (3, 6)


def test_a_failing_run_is_recorded_and_the_others_go_on(make_benchmark, tmp_path, weights):
    model = make_benchmark().model
    pre_activation = dict(type="mmcls.TIMMBackbone", model_name="resnetv2_50", pretrained=False)
    benchmark = make_benchmark(model=model | dict(backbone=pre_activation), checkpoints=("random", weights[0]))
    store = ResultStore(tmp_path / "out" / "results")
    plan = open_jobs(plan_runs(benchmark), store, Part())
    settings = WorkSettings(tmp_path)
    results = [work(run, store, settings).result for run in plan.left if run.protocol == "linear"]
    assert [result.status for result in results] == ["ok", "failed"]
    assert results[1].reason
    assert "\n" not in results[1].reason
    assert len(open_jobs(plan_runs(benchmark), store, Part()).left) == len(plan.jobs) - 2
    assert len(open_jobs(plan_runs(benchmark), store, Part(), retry_failed=True).left) == len(plan.jobs) - 1


def test_a_killed_worker_costs_its_run_only(make_benchmark, tmp_path):
    store = ResultStore(tmp_path / "results")
    left = open_jobs(plan_runs(make_benchmark()), store, Part()).left
    arrived = []

    def assassin():
        deadline = time.time() + 60
        while time.time() < deadline:
            workers = [child for server in _children(os.getpid()) for child in _children(server)]
            if workers and store.folder.is_dir():  # the first result is there, so the worker is at its second run
                os.kill(workers[0], signal.SIGKILL)
                return
            time.sleep(0.01)

    thread = threading.Thread(target=assassin)
    thread.start()
    settings = WorkSettings(tmp_path)
    LocalExecutor(1).execute(left, store, settings, lambda run, done: arrived.append((run.key, done.result)))
    thread.join()
    assert sorted(key for key, _ in arrived) == sorted(run.key for run in left)
    failed = [result for _, result in arrived if result.status == "failed"]
    assert len(failed) == 1
    assert "the worker process died (signal SIGKILL)" in failed[0].reason
    assert len(store.results()) == len(left)


def _children(pid):
    """Process ids of the children of the forkserver's kind."""
    found = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    return [int(child) for children in found for child in children if _is_python(child)]


def _is_python(pid):
    try:
        return b"forkserver" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def test_number_of_workers_is_checked():
    with pytest.raises(UserError, match="the number of workers must be at least 1, got 0"):
        LocalExecutor(0)


def test_two_killed_benchmarks_on_one_store_continue_and_lose_nothing(tmp_path, write_config):
    out = tmp_path / "out"
    command = [sys.executable, "tools/benchmark.py", str(write_config()), "--work-dir", str(out), "--workers", "1"]
    store, dice = ResultStore(out / "results"), random.Random(0)

    def start(**streams):
        return subprocess.Popen(command, start_new_session=True, text=True, **streams)

    pair = [start(stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) for _ in range(2)]
    for process, wanted, how in zip(pair, (1, 3), (signal.SIGKILL, signal.SIGINT), strict=True):
        deadline = time.time() + 600
        while len(list(store.folder.glob("*.json"))) < wanted and time.time() < deadline:
            time.sleep(0.01)
        time.sleep(dice.uniform(0, 0.3))
        os.killpg(process.pid, how)
        process.wait()
    # The second was interrupted as by Ctrl-C, if it had not come to its end by then.
    said = pair[1].stderr.read()
    assert pair[1].returncode in (0, 130)
    assert pair[1].returncode == 0 or said.strip().splitlines()[-1].startswith("interrupted: finished work is kept")
    assert "Traceback" not in said
    before = {result.key: result for result in store.results()}
    assert before
    pair = [start(stderr=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2)]
    said = [process.communicate(timeout=300) for process in pair]
    assert [process.returncode for process in pair] == [0, 0], [error[-2000:] for _, error in said]
    after = {result.key: result for result in store.results()}
    assert len(after) == len(list(store.folder.glob("*.json"))) == 12
    assert all(after[key] == result for key, result in before.items())
    executed = [int(re.search(r"(\d+) runs executed, (\d+) already done", output)[1]) for output, _ in said]
    assert sum(executed) == 12 - len(before)
    for name in ("results.csv", "correlations.csv", "report.html"):
        assert (out / name).stat().st_size > 0
