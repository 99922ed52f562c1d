import importlib.util
import sys
from pathlib import Path

import pytest

from mmbnft.utils.command import run_command

ROOT = Path(__file__).parents[2]


def run(monkeypatch, *arguments):
    """Exit status of the command as a person would call it."""
    spec = importlib.util.spec_from_file_location("rank_command", ROOT / "tools" / "rank.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(sys, "argv", ["rank.py", *map(str, arguments)])
    return run_command(module.main)


def test_a_csv_becomes_a_report(monkeypatch, tmp_path, capsys):
    rows = [f"c{i},dtd,{p},{50 + (i * k) % 7}.5" for i in range(6) for p, k in (("linear", 3), ("finetune", 2))]
    (tmp_path / "t.csv").write_text("\n".join(["checkpoint,task,protocol,value", *rows]))
    assert run(monkeypatch, tmp_path / "t.csv", "--out", tmp_path / "out", "--resamples", 200) == 0
    assert "dtd: On this task linear predicts finetune" in capsys.readouterr().out
    assert (tmp_path / "out/report.html").exists()


def test_published_targets_are_found_through_the_catalogue_s_aliases(monkeypatch, tmp_path, capsys):
    names = ("MoCo-v1", "moco-v2", "SimCLR-v1", "swav")
    rows = [f"{name},DTD,linear,{50 + i}" for i, name in enumerate(names)]
    (tmp_path / "mine.csv").write_text("\n".join(["checkpoint,task,protocol,value", *rows]))
    targets = ROOT / "data/published/sfda2022_ssl_finetune.csv"
    options = ("--target-from", targets, "--out", tmp_path / "out", "--resamples", 200)
    assert run(monkeypatch, tmp_path / "mine.csv", *options) == 0
    assert "n = 4" in capsys.readouterr().out
    assert "control: ImageNet linear" in (tmp_path / "out/correlations.csv").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"), [(["none.csv"], "there is no source none.csv"), ([ROOT / "setup.py"], "setup.py")]
)
def test_a_mistake_is_one_sentence(monkeypatch, capsys, arguments, message):
    assert run(monkeypatch, *arguments) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert message in printed
    assert printed.count("\n") == 1
