"""What can go wrong with a run or its result, and what is left of it."""

import errno
import resource
import shutil
import subprocess
import sys

import pytest
import torch

from mmbnft.grid import plan as grid_plan
from mmbnft.grid import worker
from mmbnft.grid.filters import Part
from mmbnft.grid.grid import open_jobs
from mmbnft.grid.plan import plan_runs
from mmbnft.grid.store import ResultStore, StorageError
from mmbnft.grid.worker import WorkSettings, attempt, work
from mmbnft.recipes.recipe import Recipe


@pytest.fixture
def run(make_benchmark, tmp_path):
    store = ResultStore(tmp_path / "results")
    return open_jobs(plan_runs(make_benchmark(protocols=("bn", "finetune"))), store, Part()).left[0]


@pytest.fixture
def small_files():
    """No file of this process grows beyond 1,000 bytes, as on a disk that is full; call it to lift the limit."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def lift():
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    yield lift
    lift()


def test_a_full_disk_stops_in_one_sentence_and_leaves_no_half_file(
    run, make_result, tmp_path, monkeypatch, small_files
):
    store = ResultStore(tmp_path / "results")
    large = make_result(run.checkpoint, key=run.key, details=dict(x="y" * 5000))
    monkeypatch.setattr(worker, "attempt", lambda run, settings: large)
    with pytest.raises(StorageError, match="finished runs are kept, so make room and run the same command"):
        work(run, store, WorkSettings(tmp_path))
    assert [path.name for path in store.folder.iterdir()] == [".claims"]
    small_files()
    assert work(run, store, WorkSettings(tmp_path)).executed
    assert store.results() == [large]


def test_a_disk_that_is_full_during_a_run_is_no_fault_of_the_run(run, tmp_path, monkeypatch):
    def execute(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(grid_plan, "execute", execute)
    store = ResultStore(tmp_path / "results")
    with pytest.raises(StorageError, match="No space left on device"):
        work(run, store, WorkSettings(tmp_path))
    assert store.results() == []


def test_exhausted_memory_is_tried_once_more_in_parts_and_recorded(run, tmp_path, monkeypatch):
    tried = []
    execute = grid_plan.execute

    def tight(spec, options, task, **how):
        tried.append(options.accumulation)
        if options.accumulation == 1:
            torch.empty(10**15)
        return execute(spec, options, task, **how)

    monkeypatch.setattr(grid_plan, "execute", tight)
    result = attempt(run, WorkSettings(tmp_path))
    assert tried == [1, worker.SMALLER_STEPS]
    assert (result.status, result.key, result.details["accumulation"]) == ("ok", run.key, worker.SMALLER_STEPS)


def test_memory_that_never_suffices_fails_after_the_second_try(run, tmp_path, monkeypatch):
    tried = []

    def hungry(spec, options, task, **_):
        tried.append(options.accumulation)
        torch.empty(10**15)

    monkeypatch.setattr(grid_plan, "execute", hungry)
    result = attempt(run, WorkSettings(tmp_path))
    assert tried == [1, worker.SMALLER_STEPS]
    assert result.status == "failed"
    assert "out of memory even with batches split into 4 micro-batches" in result.reason
    assert "\n" not in result.reason


def test_a_bug_and_a_diverged_run_are_recorded(run, make_benchmark, tmp_path, monkeypatch):
    store = ResultStore(tmp_path / "results")
    recipe = Recipe("test", epochs=1, batch_size=8, optimizer=dict(type="SGD", lr=1e30))
    (wild, *_) = open_jobs(plan_runs(make_benchmark(recipe=recipe, protocols=("finetune",))), store, Part()).left
    diverged = work(wild, store, WorkSettings(tmp_path)).result
    assert (diverged.status, diverged.value) == ("failed", None)
    assert "lower the learning rate" in diverged.reason

    def broken(*_, **__):
        raise ZeroDivisionError("a bug\nof two lines")

    monkeypatch.setattr(grid_plan, "execute", broken)
    bug = work(run, store, WorkSettings(tmp_path)).result
    assert bug.reason == "ZeroDivisionError: a bug of two lines"
    assert "in broken" in bug.details["traceback"]
    assert len(store.results()) == 2


SCRIPT = """
set -eu
mkdir -p "$1" && mount -t tmpfs -o size=400k none "$1"
cat /dev/zero > "$1/ballast" 2> /dev/null || true
status=0; {command} 2> "$2/first.err" > "$2/first.out" || status=$?
echo $status > "$2/status"
ls -A "$1/results" > "$2/first.files" 2> /dev/null || true  # the folder is made where there is room
rm "$1/ballast"
{command} 2> "$2/second.err" > "$2/second.out"
cp -r "$1/results" "$2/results"
"""


def can_mount(folder):
    if shutil.which("unshare") is None:
        return False
    script = f"mkdir -p {folder} && mount -t tmpfs none {folder}"
    return subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True).returncode == 0


def test_a_benchmark_on_a_really_full_file_system_stops_and_continues(write_config, tmp_path):
    if not can_mount(tmp_path / "probe"):
        pytest.skip("this machine does not let a user mount a file system")
    config, disk, out = write_config(), tmp_path / "disk", tmp_path / "out"
    out.mkdir()
    command = f'"{sys.executable}" tools/benchmark.py "{config}" --work-dir "$1" --workers 1 --only protocol=bn'
    script = SCRIPT.replace("{command}", command)
    done = subprocess.run(["unshare", "-rm", "sh", "-c", script, "sh", disk, out], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr + (out / "second.err").read_text()[-2000:]
    assert (out / "status").read_text() == "2\n"
    error = (out / "first.err").read_text()
    assert "Traceback" not in error
    assert error.strip().splitlines()[-1].startswith("error: cannot write to ")
    kept = {name for name in (out / "first.files").read_text().split() if name.endswith(".json")}
    assert len(kept) < 3
    assert not [name for name in (out / "first.files").read_text().split() if name.endswith(".part")]
    assert len(ResultStore(out / "results").results()) == 3
    assert f"{3 - len(kept)} runs executed, {len(kept)} already done" in (out / "second.out").read_text()
