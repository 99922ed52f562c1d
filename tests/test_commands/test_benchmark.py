"""tools/benchmark.py as a person calls it, on a folder of their own."""

from pathlib import Path

import pandas as pd
import pytest

from mmbnft import commands

ROOT = Path(__file__).parents[2]
RECIPE = ["recipe.epochs=1", "recipe.batch_size=4", "recipe.train_pipeline=[]",
          "recipe.test_pipeline=[]"]  # fmt: skip


@pytest.fixture
def benchmark():
    def run(*arguments):
        return commands.run("benchmark", [*map(str, arguments)])

    return run


def asked(folder, out, *protocols):
    return ["--task", folder, "--checkpoints", "tiny-simclr", "tiny-byol", "random", "--protocols", *protocols,
            "--out", out, "--device", "cpu", "--workers", "1", "--cfg-options", *RECIPE]  # fmt: skip


def test_without_a_configuration_and_without_a_target_the_report_ranks_by_what_was_measured(
    benchmark, folder, tmp_path, capsys
):
    out = tmp_path / "out"
    command = asked(folder, out, "knn", "bn_stats")
    assert benchmark(*command, "--dry-run") == 0
    said = capsys.readouterr().out
    assert "6 runs: 0 done, 6 new, 0 to retry" in said
    assert "cost: no estimate yet for 6 runs: bn_stats on mine (3), knn on mine (3)" in said
    assert not out.exists()
    assert benchmark(*command, "--only", "checkpoint=tiny-byol,random") == 0
    said = capsys.readouterr().out
    assert "4 runs executed, 0 already done" in said
    assert "next." in said
    assert "How far to trust the proxies is unknown here" in said
    table = pd.read_csv(out / "results.csv")
    assert set(table["checkpoint"]) == {"tiny-byol", "random"}
    assert (out / "report.html").exists()
    assert benchmark(*command, "--dry-run") == 0
    said = capsys.readouterr().out
    assert "6 runs: 4 done, 2 new, 0 to retry" in said
    assert "on one worker for 2 runs (median of finished runs of the same kind)" in said
    assert sum(line.startswith("new ") for line in said.splitlines()) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--only", "checkpoint=swav"], "there is no checkpoint swav; there are: random, tiny-byol, tiny-simclr"),
        (["--only", "colour=red"], "a selection is NAME=VALUE"),
        (["--target", "finetune"], "the target 'finetune' must be one of the protocols: bn_stats, knn"),
        (["--recipe", "cleen"], "unknown recipe 'cleen'; allowed: "),
        (["--checkpoints"], "--checkpoints is missing"),
        (["--shard", "3/2"], "a shard is I/N with I from 1 to N, got 3/2"),
    ],
)
def test_mistakes_are_one_sentence(benchmark, folder, tmp_path, capsys, changes, message):
    command = asked(folder, tmp_path / "out", "knn", "bn_stats")
    if changes == ["--checkpoints"]:
        del command[2:6]
        changes = []
    assert benchmark(*command, "--dry-run", *changes) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1


def test_a_configuration_and_a_task_exclude_each_other(benchmark, folder, capsys):
    config = ROOT / "configs/benchmarks/quickstart.py"
    assert benchmark(config, "--task", folder, "--recipe", "clean", "--dry-run") == 2
    assert "already says what to run; drop --task and --recipe, or the configuration" in capsys.readouterr().err
