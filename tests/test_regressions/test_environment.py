"""A mistake of the machine's is found before planning, is no stored result, and what it spoilt is tried again."""

import pytest
import torch
from stub_jobs import StubJob

from mmbnft.grid import grid
from mmbnft.grid.executors import LocalExecutor, RayExecutor, local
from mmbnft.grid.filters import Part
from mmbnft.grid.grid import open_jobs, run_benchmark
from mmbnft.grid.request import benchmark_of
from mmbnft.grid.store import ResultStore
from mmbnft.grid.worker import WorkSettings, work
from mmbnft.utils.errors import FAILURE_KINDS, MachineError


def asked(checkpoint="tiny-simclr", **changes):
    return benchmark_of(["digits"], [checkpoint, "random"], ["linear", "finetune"], overrides=changes)


def execute(tmp_path, jobs):
    store, arrived = ResultStore(tmp_path / "results"), []
    LocalExecutor(1).execute(jobs, store, WorkSettings(tmp_path), lambda job, done: arrived.append(done.result))
    return store, arrived


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
@pytest.mark.parametrize(
    ("device", "recipe", "sentence"),
    [
        ("cuda", {}, "device 'cuda' does not exist: there are 0 CUDA devices"),
        ("gpu", {}, "unknown device 'gpu'; allowed: auto, cpu, cuda, cuda:N"),
        ("auto", {"recipe.precision": "bfloat16"}, "uses bfloat16, which needs a GPU, but the device is cpu"),
    ],
)
def test_a_device_that_is_not_there_is_no_result(device, recipe, sentence, tmp_path):
    with pytest.raises(MachineError, match=sentence):
        run_benchmark(asked(**recipe), LocalExecutor(1), WorkSettings(tmp_path / "out", device))
    store = ResultStore(tmp_path / "out" / "results")
    assert store.results() == []


def test_a_folder_that_cannot_be_written_is_found_before_planning(tmp_path, monkeypatch):
    def plan(*_):
        raise AssertionError("planned")

    monkeypatch.setattr(grid, "plan_runs", plan)
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match="cannot write"):
        run_benchmark(asked(), LocalExecutor(1), WorkSettings(tmp_path / "file" / "out"))


def test_a_cluster_that_gives_no_gpu_is_found_before_planning():
    pytest.importorskip("ray", reason="Ray is an extra")
    with pytest.raises(MachineError, match="needs a GPU for each run; add --gpus-per-run 1"):
        RayExecutor().check_device("cuda")
    RayExecutor(gpus=0.5).check_device("cuda")


def test_what_every_run_lacks_stops_the_grid_at_the_first_and_is_not_stored(tmp_path):
    jobs = [StubJob("a", "lack"), StubJob("b", "lack")]
    with pytest.raises(MachineError, match="^the device has gone$"):
        execute(tmp_path, jobs)
    store = ResultStore(tmp_path / "results")
    assert store.results() == []
    # The same command, on a machine that is whole.
    assert [job.checkpoint for job in open_jobs(jobs, store, Part()).left] == ["a", "b"]


@pytest.mark.parametrize("kind", FAILURE_KINDS)
def test_what_the_machine_spoilt_is_tried_again_without_being_asked(tmp_path, kind):
    store, job = ResultStore(tmp_path), StubJob("a")
    store.write(job.failed(kind, "it broke"))
    again = kind in ("environment", "memory")
    plan = open_jobs([job, StubJob("b")], store, Part())
    assert plan.counts == f"2 runs: {int(not again)} done, 1 new, {int(again)} to retry"
    done = work(job, store, WorkSettings(tmp_path))
    assert (done.executed, done.result.status) == ((True, "ok") if again else (False, "failed"))
    assert len(store.results()) == 1


def test_a_process_with_a_broken_context_is_not_used_again(tmp_path):
    _, arrived = execute(tmp_path, [StubJob("a", "break"), StubJob("b"), StubJob("c")])
    assert [(result.status, result.kind) for result in arrived] == [("failed", "environment"), ("ok", ""), ("ok", "")]
    assert arrived[1].details["pid"] == arrived[2].details["pid"]


def test_workers_that_die_one_after_the_other_stop_the_grid(tmp_path):
    jobs = [StubJob(name, "die") for name in "abcdef"]
    with pytest.raises(
        MachineError, match=r"3 worker processes died one after the other \(the last one: exit status 3"
    ):
        execute(tmp_path, jobs)
    store = ResultStore(tmp_path / "results")
    assert {result.kind for result in store.results()} == {"environment"}
    assert len(store.results()) == local.DEATHS_IN_A_ROW - 1
    assert len(open_jobs(jobs, store, Part()).left) == 6
