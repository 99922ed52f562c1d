from pathlib import Path

import pytest

from mmbnft import commands

ROOT = Path(__file__).parents[2]


def run(*arguments):
    """Exit status of the command as a person would call it."""
    return commands.run("rank", [*map(str, arguments)])


def test_a_csv_becomes_a_report(tmp_path, capsys):
    rows = [f"c{i},dtd,{p},{50 + (i * k) % 7}.5" for i in range(6) for p, k in (("linear", 3), ("finetune", 2))]
    (tmp_path / "t.csv").write_text("\n".join(["checkpoint,task,protocol,value", *rows]))
    assert run(tmp_path / "t.csv", "--out", tmp_path / "out", "--resamples", 200) == 0
    assert "On this task, linear predicts finetune" in capsys.readouterr().out
    assert (tmp_path / "out/report.html").exists()


def test_published_targets_are_found_through_the_catalogue_s_aliases(tmp_path, capsys):
    names = ("MoCo-v1", "moco-v2", "SimCLR-v1", "swav")
    rows = [f"{name},DTD,linear,{50 + i}" for i, name in enumerate(names)]
    (tmp_path / "mine.csv").write_text("\n".join(["checkpoint,task,protocol,value", *rows]))
    targets = ROOT / "data/published/sfda2022_ssl_finetune.csv"
    options = ("--target-from", targets, "--out", tmp_path / "out", "--resamples", 200)
    assert run(tmp_path / "mine.csv", *options) == 0
    assert "n = 4" in capsys.readouterr().out
    assert "control: ImageNet linear" in (tmp_path / "out/correlations.csv").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"), [(["none.csv"], "there is no source none.csv"), ([ROOT / "setup.py"], "setup.py")]
)
def test_a_mistake_is_one_sentence(capsys, arguments, message):
    assert run(*arguments) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert message in printed
    assert printed.count("\n") == 1
