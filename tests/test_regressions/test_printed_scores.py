"""What tools/train.py prints of a training-free score: no percentage, and not of test."""

import runpy
import sys

import pytest

SMALL = ["task.train_size=24", "task.val_size=12", "task.test_size=20"]


def printed(tmp_path, monkeypatch, capsys, protocol):
    arguments = ["configs/digits/tiny18.py", "--work-dir", str(tmp_path), "--wandb", "off", "--device", "cpu"]
    arguments += ["--protocol", protocol, "--checkpoint", "random", "--resume", "--cfg-options", *SMALL]
    monkeypatch.setattr(sys, "argv", ["train.py", *arguments, "recipe.epochs=1", "recipe.batch_size=8"])
    with pytest.raises(SystemExit) as end:
        runpy.run_path("tools/train.py", run_name="__main__")
    output = capsys.readouterr()
    assert end.value.code == 0, output.err
    return output.out


def test_a_score_is_printed_as_one(tmp_path, monkeypatch, capsys):
    line = printed(tmp_path, monkeypatch, capsys, "nearest_class_mean").splitlines()[-2]
    assert "trainval nearest_class_mean " in line
    assert "%" not in line
    assert "test" not in line


def test_performance_is_printed_in_percent_of_test(tmp_path, monkeypatch, capsys):
    line = printed(tmp_path, monkeypatch, capsys, "linear").splitlines()[-2]
    assert "random  digits  linear: test top1 " in line
    assert line.endswith(" %")
