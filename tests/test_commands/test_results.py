from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mmbnft import commands
from mmbnft.artifacts import Artifacts, Predictions, write_artifacts
from mmbnft.evaluation.run_spec import load_config
from mmbnft.grid.episode_jobs import FewShotBenchmark, plan_episodes
from mmbnft.results import RESULTS_VERSION, Result, write_result

ROOT = Path(__file__).parents[2]


@pytest.fixture
def results():
    """The command as a person would call it: its exit status."""

    def run(*arguments):
        return commands.run("results", [*map(str, arguments)])

    return run


@pytest.fixture
def store(tmp_path):
    shared = dict(recipe="r", split=0, seed=0, metric="top1")
    for number, name in enumerate("abc"):
        good = Result(name, "dtd", "linear", key=f"{number}" * 64, status="ok", value=50.0 + number, **shared)
        write_result(tmp_path / "store/results", good)
    bad = Result("c", "pets", "bn", key="f" * 64, status="failed", value=None, reason="it broke", kind="bug", **shared)
    write_result(tmp_path / "store/results", bad)
    return tmp_path / "store"


def test_list_filters(results, store, capsys):
    assert results("list", store, "--only", "status=ok", "checkpoint=a,c") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["checkpoint", "a", "c"]
    assert results("list", store, "--only", "checkpoint=z") == 2
    assert "there is no checkpoint z; there are: a, b, c" in capsys.readouterr().err


def test_export_has_everything(results, store, tmp_path):
    assert results("export", store, "--csv", tmp_path / "all.csv") == 0
    table = pd.read_csv(tmp_path / "all.csv")
    assert len(table) == 4
    assert {"checkpoint", "value", "search_best", "search_median", "search_mean", "reason", "key"} <= set(table.columns)


def test_an_archive_is_read_by_merge(results, store, tmp_path, capsys):
    assert results("export", store, "--archive", tmp_path / "runs.tar.xz", "--only", "status=ok") == 0
    assert results("merge", tmp_path / "runs.tar.xz", tmp_path / "into") == 0
    assert "3 results added" in capsys.readouterr().out
    assert results("export", store, "--archive", tmp_path / "runs.zip") == 2
    assert "choose another name" in capsys.readouterr().err


def test_failures_and_stale_results_are_told_by_the_exit_status(results, store, capsys):
    assert results("failures", store) == 1
    assert "bn" in (out := capsys.readouterr().out)
    assert ": it broke" in out
    assert "1 of 4 results" in out
    assert results("failures", store, "--only", "status=ok") == 0
    assert results("stale", store) == 1
    assert "3 of 4 results" in capsys.readouterr().out


def test_predictions_are_listed_merged_and_removed_with_their_results(results, store, tmp_path, capsys):
    artifacts = Artifacts(Predictions.of(np.eye(2), np.arange(2)), {"meta": {}})
    write_artifacts(store / "results", "1" * 64, artifacts)
    assert results("list", store, "--only", "checkpoint=b") == 0
    assert "predictions, weights" in capsys.readouterr().out
    assert results("merge", store, tmp_path / "into") == 0
    beside = {path.relative_to(tmp_path / "into").as_posix() for path in (tmp_path / "into").rglob("*1111*")}
    assert {f"results/{'1' * 16}.npz", f"weights/{'1' * 16}.pth"} < beside
    assert results("remove", store) == 2
    assert results("remove", store, "--only", "checkpoint=b") == 0
    assert not list(store.rglob("*1111*"))
    assert len(list(store.rglob("*.json"))) == 3


def test_merge_and_its_refusal(results, store, tmp_path, capsys):
    assert results("merge", store, tmp_path / "into") == 0
    assert "4 results added" in capsys.readouterr().out
    assert results("merge", tmp_path / "none", tmp_path / "into") == 2
    error = capsys.readouterr().err
    assert error.startswith("error: there is no folder")
    assert error.count("\n") == 1


def test_results_of_a_few_shot_configuration_are_not_stale(results, tmp_path, capsys):
    path = tmp_path / "episodes.py"
    path.write_text(
        "model = dict(backbone=dict(type='ResNet', depth=18), head=dict(type='BnftLinearHead'))\n"
        "recipe = dict(name='r', steps=2, optimizer=dict(type='SGD', lr=0.1))\n"
        "task = dict(type='drawn', train_size=48, val_size=24, test_size=24)\n"
        "few_shot = dict(name='f', checkpoints=['random'], tasks=[task], methods=['nearest_mean', 'bn'], shots=[1],\n"
        "                episodes=dict(n_way=3, queries=3, episodes=3))\n"
        "del task\n"
    )
    benchmark = FewShotBenchmark.from_config(load_config(path))
    for key in [job.key for job in plan_episodes(benchmark, tmp_path / "store" / "manifests")]:
        details = {"results_version": RESULTS_VERSION}
        result = Result("random", "shapes", "fewshot", "r", 0, 0, key, "ok", 50.0, "top1", details=details)
        write_result(tmp_path / "store" / "results", result)
    for store in (tmp_path / "store", tmp_path / "store" / "results"):
        assert results("stale", store, "--config", path) == 0
        assert "0 of 2 results" in capsys.readouterr().out
    assert results("stale", tmp_path / "store", "--config", path, "--cfg-options", "recipe.steps=3") == 1
    assert "1 of 2 results" in capsys.readouterr().out  # nearest_mean takes no step
