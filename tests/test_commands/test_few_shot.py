"""tools/few_shot.py as a person uses it."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from mmbnft import commands
from mmbnft.result_files import read_results

CONFIG = "configs/few_shot/quickstart.py"


@pytest.fixture
def run(capsys):
    """Run the command in this process: importing the host stack anew for every case would take minutes."""

    def call(*arguments):
        code = commands.run("few-shot", [*map(str, arguments)])
        out, err = capsys.readouterr()
        return SimpleNamespace(returncode=code, stdout=out, stderr=err)

    return call


def test_options_reach_the_episodes_and_tables_come_from_the_files(run, tmp_path):
    random = np.random.default_rng(0)
    images = random.integers(0, 255, (48, 32, 32, 3), dtype=np.uint8)
    np.savez(tmp_path / "leaves.npz", images=images, labels=np.repeat(np.arange(4), 12))
    arguments = [
        CONFIG,
        "--work-dir",
        tmp_path / "out",
        "--task",
        tmp_path / "leaves.npz",
        "--n-way",
        3,
        "--k-shot",
        1,
        2,
    ]
    arguments += ["--queries", 2, "--episodes", 3, "--validation", 2, "--seed", 4, "--methods", "nearest_mean", "bn"]
    done = run(*arguments, "--checkpoints", "tiny-rotation", "random", "--device", "cpu")
    assert done.returncode == 0, done.stderr[-2000:]
    results = read_results(tmp_path / "out" / "results")
    assert {(r.checkpoint, r.task, r.protocol) for r in results} == {
        (c, "leaves", f"fewshot-{m}-3way-{k}shot")
        for c in ("tiny-rotation", "random") for m in ("nearest_mean", "bn") for k in (1, 2)
    }  # fmt: skip
    assert all(len(r.details["accuracies"]) == 3 and r.seed == 4 for r in results)
    head = json.loads(next((tmp_path / "out" / "manifests").glob("*2shot*")).read_text().splitlines()[0])
    wanted = dict(n_way=3, k_shot=2, queries=2, episodes=3, validation=2, seed=4)
    assert wanted.items() <= head["settings"].items()
    assert "8 runs executed, 0 already done" in done.stdout
    table = (tmp_path / "out" / "few_shot.md").read_text()
    assert "### leaves, 3-way 1-shot" in table
    assert f"tables with intervals and comparisons: {tmp_path / 'out' / 'few_shot.md'}" in done.stdout
    assert "leaves, 3-way 1-shot: mean accuracy in %" in done.stdout
    assert max(len(line) for line in done.stdout.splitlines() if str(tmp_path) not in line) <= 80
    shown = run("--table", tmp_path / "out" / "results", "--work-dir", tmp_path / "again")
    assert (shown.returncode, shown.stdout.strip()) == (0, table.strip())
    assert (tmp_path / "again" / "few_shot.md").read_text() == table
    plan = run(*arguments, "--checkpoints", "tiny-rotation", "random", "tiny-simclr", "--dry-run")
    assert plan.returncode == 0
    assert "12 runs: 8 done, 4 new, 0 to retry" in plan.stdout
    assert "cost: about " in plan.stdout


def test_mistakes_are_one_sentence(run, tmp_path):
    cases = [
        ([], "no configuration given"),
        (["configs/few_shot/nothing.py"], "there is no configuration"),
        ([CONFIG, "--k-shot", 2000], "classes have fewer than the"),
        (["--table", tmp_path / "none"], "there is no folder"),
    ]
    for arguments, words in cases:
        done = run(*arguments, "--work-dir", tmp_path / "out")
        assert done.returncode == 2, done.stderr[-2000:]
        assert done.stderr.strip().splitlines()[-1].startswith("error: ")
        assert words in done.stderr
