"""tools/select.py as a person calls it, on a folder of their own; and as what it must not be taken for."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from fake_runs import HereExecutor

from mmbnft import commands
from mmbnft.result_files import read_results

ROOT = Path(__file__).parents[2]
RECIPE = ["recipe.epochs=3", "recipe.batch_size=4", "recipe.train_pipeline=[]", "recipe.test_pipeline=[]",
          "recipe.search.lr=[0.01,0.1]"]  # fmt: skip


@pytest.fixture
def select():
    def run(*arguments):
        return commands.run("select", [*map(str, arguments)])

    return run


def test_one_command_picks_and_evaluates_the_pick_as_an_ordinary_run_would(
    select, folder, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("mmbnft.grid.executors.LocalExecutor", lambda workers: HereExecutor())
    out = tmp_path / "out"
    asked = ["--task", folder, "--checkpoints", "tiny-simclr", "tiny-byol", "random", "--budget", "45%", "--proxies",
             "knn", "linear", "--out", out, "--device", "cpu", "--workers", "1", "--cfg-options", *RECIPE]  # fmt: skip
    assert select(*asked) == 0
    said = capsys.readouterr().out
    assert "Take " in said
    assert "mmbnft select --task" in said
    results = read_results(out / "results")
    (final,) = [result for result in results if result.evaluated_on == "test"]
    others = [result for result in results if result.evaluated_on != "test"]
    assert {result.protocol for result in others} == {"knn", "linear", "finetune"}
    tried = [entry for result in others if result.protocol == "finetune" for entry in result.details["search"]]
    assert {entry["length"] for entry in tried} <= {1, 3}
    assert [result.details["splits"]["reported"] for result in others] == [{}] * len(others)
    assert set(final.details["splits"]["reported"]) == {"test"}
    assert all(r.details["fitted_on"] == "train" for r in others if r.evaluated_on == "val")
    # Handing the search on changes nothing about the result.
    from mmbnft.evaluation.run import RunOptions, execute
    from mmbnft.grid.plan import plan_runs
    from mmbnft.grid.request import benchmark_of

    overrides = {"recipe.epochs": 3, "recipe.batch_size": 4, "recipe.train_pipeline": [], "recipe.test_pipeline": [],
                 "recipe.search.lr": [0.01, 0.1]}  # fmt: skip
    (run,) = [
        run
        for run in plan_runs(
            benchmark_of(
                [str(folder)], ["tiny-simclr", "tiny-byol", "random"], ["finetune"], "clean", "finetune", overrides
            )
        )
        if run.checkpoint == final.checkpoint
    ]
    alone = execute(run.spec, RunOptions(tmp_path / "alone", save_state=False))
    assert (alone.key, alone.value) == (final.key, final.value)
    assert [entry["val"] for entry in alone.details["search"]] == [entry["val"] for entry in final.details["search"]]
    assert json.loads((out / "selection.json").read_text())["test"] == final.value
    assert (out / "selection.html").read_text().startswith("<!doctype html>")
    # The same command finds everything done.
    assert select(*asked) == 0
    assert "knn:" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "digits", "--checkpoints", "tiny-simclr", "tiny-byol"], "--budget is missing; a selection needs"),
        (["--checkpoints", "tiny-simclr", "--budget", "1h"], "--task is missing"),
        (["--task", "digits", "--checkpoints", "tiny-simclr", "tiny-byol", "--budget", "1h"],
         "a selection needs at least 3 checkpoints, got 2"),
        (["--task", "digits", "--checkpoints", "tiny-simclr", "--budget", "soon"], "--budget must be hours"),
        (["--task", "digits", "--checkpoints", "tiny-simclr", "--budget", "1h", "--regret", "0"],
         "--regret must be more than 0 points, got 0"),
        (["--task", "digits", "--checkpoints", "tiny-simclr", "tiny-byol", "random", "--budget", "1h", "--target",
          "linear"], "'linear' is the target and cannot be a proxy too"),
        (["--task", "digits", "--checkpoints", "tiny-simclr", "tiny-byol", "random", "--budget", "1h", "--target",
          "sfda"], "the target must be a protocol that trains, got 'sfda'"),
        (["--shortest", "nowhere"], "there is no folder nowhere"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_one_sentence(select, capsys, arguments, message):
    assert select(*arguments) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


@pytest.mark.skipif("select" in sys.builtin_module_names, reason="no file can hide what is part of the interpreter")
def test_tools_beside_it_still_find_the_standard_library_s_select(monkeypatch):
    monkeypatch.delitem(sys.modules, "select")
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    spec = importlib.util.spec_from_file_location("select", ROOT / "tools" / "select.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "select", module)
    spec.loader.exec_module(module)
    assert hasattr(sys.modules["select"], "select")
    done = subprocess.run([sys.executable, "-c", "import selectors, select; print(hasattr(select, 'select'))"],
                          cwd=ROOT / "tools", capture_output=True, text=True)  # fmt: skip
    assert done.stdout.strip() == "True", done.stderr
