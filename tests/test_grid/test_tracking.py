"""A grid's own run in Weights & Biases, for real and offline."""

import time

from mmbnft.evaluation.finished_runs import closing_figures
from mmbnft.grid.tracking import Trackers, log_grid
from mmbnft.results import Result


def written(path, last):
    """The bytes of W&B's file once its service, a process of its own, has written `last`."""
    for _ in range(200):
        if last in path.read_bytes():
            break
        time.sleep(0.1)
    return path.read_bytes()


def made(number, **changes):
    values = dict(
        checkpoint=f"ckpt{number}", task="dtd", protocol="bn", recipe="clean", split=1, seed=0, key=f"{number:016x}",
        status="ok", value=70.0 + number, metric="top1", cost={"seconds": 12.5},
        details={"chosen": {"lr": 0.1}, "search": [{"trial": 0, "lr": 0.1, "val": 60.0}],
                 "curve": [{"epoch": 1, "loss": 2.0, "lr": 0.1}],
                 "certificate": {"sha256": "ab", "matched": 3, "expected": 3, "partial": False}},
    )  # fmt: skip
    return Result(**(values | changes))


def test_a_grid_is_a_group_with_a_table_of_results_and_its_report(tmp_path, monkeypatch):
    monkeypatch.delenv("WANDB_MODE", raising=False)
    (tmp_path / "report.html").write_text("<p>the report")
    results = [made(0), made(1), made(2, status="failed", value=None, kind="memory", reason="out of memory")]
    said = log_grid("my-grid", results, tmp_path, "offline")
    assert said == f"W&B: wandb sync {tmp_path}/wandb/offline-*"
    runs = {path.stem.removeprefix("run-"): path for path in tmp_path.glob("wandb/offline-run-*/run-*.wandb")}
    assert len(runs) == 3
    one = written(runs.pop(made(1).key[:32]), b"test/top1")
    for text in (b"ckpt1/dtd/bn/split1/s0", b"my-grid", b"train/loss", b"search/val", b"sha256"):
        assert text in one
    assert made(0).key[:32] in runs
    del runs[made(0).key[:32]]
    ((_, path),) = runs.items()  # a failed run is a row of the table only
    content = written(path, b"my-grid-report")
    for text in (b"my-grid report", b"my-grid-report", b"failed", b"report.html"):
        assert text in content
    tables = list(path.parent.glob("files/media/table/results*.json"))
    assert len(tables) == 1
    assert '"ckpt1"' in tables[0].read_text()


def test_off_logs_nothing(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert log_grid("g", [made(0)], tmp_path, "off") == ""
    assert Trackers().tell("g", [made(0)], tmp_path) == []
    assert not list(tmp_path.iterdir())


def test_a_grid_is_told_to_tensorboard_too_and_a_tracker_that_fails_costs_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr("wandb.init", lambda **_options: 1 / 0)
    results = [made(0), made(2, status="failed", value=None, kind="memory", reason="out of memory")]
    said = Trackers("offline", tensorboard=True).tell("g", results, tmp_path)
    assert said == [f"TensorBoard: tensorboard --logdir {tmp_path / 'tensorboard'}"]
    assert [path.name for path in (tmp_path / "tensorboard").iterdir()] == ["ckpt0"]
    assert "warning: nothing was logged to W&B" in capsys.readouterr().err


def test_the_summary_of_a_run_holds_value_choice_cost_and_certificate():
    figures = closing_figures(made(1))
    assert figures["test/top1"] == 71.0
    assert figures["chosen"] == {"lr": 0.1}
    assert figures["cost"] == {"seconds": 12.5}
    assert figures["certificate"]["sha256"] == "ab"
    assert closing_figures(made(1, details={}))["certificate"] is None
