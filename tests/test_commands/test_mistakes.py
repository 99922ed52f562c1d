"""Typical mistakes, each as a command: one sentence with what to do, status 2, no traceback, nothing left behind."""

import json
import re

import pytest

from mmbnft.__main__ import main
from mmbnft.evaluation.session import Session
from mmbnft.result_files import read_results
from mmbnft.results import Result, write_result

DIGITS, QUICKSTART, FEW = (
    "configs/digits/tiny18.py",
    "configs/benchmarks/quickstart.py",
    "configs/few_shot/quickstart.py",
)
SMALL = ["task.train_size=48", "task.val_size=20", "task.test_size=40", "recipe.epochs=3", "recipe.batch_size=16"]
RUN = ["train", DIGITS, "--wandb", "off", "--work-dir", "out", "--protocol", "bn"]
GRID = ["--protocols", "linear", "finetune", "--work-dir", "out", "--dry-run"]
TABLE = [f"c{n},t,{p},{v}" for n in range(5) for p, v in (("finetune", 60 + n), ("linear", 50 + 1.5 * n))]
HEAD = "checkpoint,task,protocol,value"


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """No account and no variable of this machine."""
    for name in ("WANDB_API_KEY", "WANDB_MODE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


def ended(command):
    try:
        return main([str(word) for word in command])
    except SystemExit as end:
        return end.code


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ([*RUN[:-1], "bnn"], "unknown protocol 'bnn'; there are bn, .*did you mean 'bn'"),
        ([*RUN, "--checkpoint", "tiny-simclrr"], "no checkpoint is called 'tiny-simclrr'; nearest first: tiny-simclr,"),
        ([*RUN, "--checkpoint", "randon"], "nearest first: random,"),
        ([*RUN, "--checkpoint", "weights/none.pth"], "there is no file weights/none.pth"),
        ([*RUN, "--checkpoint", "README.md"], "README.md is not a torch file.*name a weight file"),
        (["train", "configs/digits/tiny81.py"], "no configuration .*did you mean 'configs/digits/tiny18.py'"),
        ([*RUN, "--recipe", "vpulabs"], "unknown recipe 'vpulabs'; allowed: cdfsl, clean, .*did you mean 'vpulab'"),
        ([*RUN, "--cfg-options", "recipe.epoch=5"], "unknown recipe settings epoch; .*did you mean 'epochs'"),
        ([*RUN, "--cfg-options", "recipe.epochs=abc"], "epochs .* must be a whole number from 1, got 'abc'"),
        ([*RUN, "--cfg-options", "recipe.epochs"], "'recipe.epochs' is not KEY=VALUE, e.g. recipe.epochs=5"),
        ([*RUN, "--cfg-options", "model.backbone.norm_cfg.type=GN"], "norm_cfg of type GN needs num_groups"),
        ([*RUN, "--device", "cuda:7"], "device 'cuda:7' does not exist"),
        (["benchmark", QUICKSTART, "--device", "cuda:7", "--work-dir", "out"], "device 'cuda:7' does not exist"),
        ([*RUN, "--split", "one"], "argument --split: invalid int value: 'one'"),
        ([*RUN, "--protcol", "bn"], "unknown option --protcol bn; did you mean '--protocol'"),
        (["train", "configs/dtd/resnet50.py", "--protocol", "bn"], "run: mmbnft prepare-data dtd --download$"),
        (["train", "configs/mhist/resnet50.py", "--protocol", "bn"], "run: mmbnft prepare-data mhist --archive FILE"),
        (
            ["train", QUICKSTART, "--protocol", "bn"],
            "this is a benchmark configuration; run it with: mmbnft benchmark CONFIG",
        ),
        (["benchmark", DIGITS, "--work-dir", "out"], "not a benchmark configuration: .*mmbnft train CONFIG"),
        (["benchmark", QUICKSTART, "--only", "task=digit", "--work-dir", "out"], "no task digit; .*mean 'digits'"),
        (
            ["benchmark", "--task", "digits", "--checkpoints", "random", "--protocols", "fintune"],
            "did you mean 'finetune'",
        ),
        ([*RUN, "--wandb", "online"], "no account is set up here; run `wandb login`"),
        ([*RUN, "--launcher", "pytorch"], "launcher 'pytorch' did not prepare this process"),
        (
            ["train", "configs/own/resnet50.py", "--protocol", "bn", "--checkpoint", "moco-v2"],
            "mmbnft checkpoints fetch moco-v2",
        ),
        (["prepare-data", "dtdd"], "invalid choice: 'dtdd'; did you mean 'dtd'"),
        (["results", "lits", "x"], "invalid choice: 'lits'; did you mean 'list'"),
        (["results", "list", "x", "--onyl", "a=b"], "unknown option --onyl a=b; did you mean '--only'"),
        (["trian", DIGITS], "there is no command 'trian'; did you mean 'train'"),
        (
            ["few-shot", FEW, "--n-way", "50", "--work-dir", "out", "--dry-run"],
            "episode has 50 classes but the task only 10",
        ),
        (
            ["few-shot", FEW, "--methods", "linera", "--dry-run"],
            "'linera' is not a few-shot method.*did you mean 'linear'",
        ),
        (
            ["select", "--task", "digits", "--checkpoints", "random", "--budget", "30"],
            "got '30'; write it like 2h, 90min",
        ),
        (["describe", DIGITS, "--protocol", "bn_papr"], "did you mean 'bn_paper'"),
        (["checkpoints", "verify", "tiny-simclrr"], "nearest first: tiny-simclr,"),
        (["results", "list", "none"], "there is no folder none"),
    ],
)
def test_a_mistake_is_one_sentence(command, sentence, tmp_path, capsys):
    assert ended(tmp_path / "out" if word == "out" else word for word in command) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert said.startswith("error: ")
    assert re.search(sentence, said.strip())
    assert not (tmp_path / "out" / "results").exists()


@pytest.mark.parametrize(
    ("lines", "options", "sentence"),
    [
        (["model,task,protocol,value", *TABLE], [], "lacks the column checkpoint; .*rename model to checkpoint"),
        (["checkpoint,dtd,pets", "a,1,2", "b,3,4"], [], "read with --wide PROTOCOL"),
        ([HEAD, *TABLE], ["--target", "finetun"], "target 'finetun' is not in the table; .*did you mean 'finetune'"),
        ([HEAD, *TABLE], ["--proxies", "linaer"], "proxy 'linaer' is not in the table; .*did you mean 'linear'"),
        ([HEAD], [], "has no rows|no row"),
    ],
)
def test_a_mistake_in_a_table_is_one_sentence(lines, options, sentence, tmp_path, capsys):
    (tmp_path / "mine.csv").write_text("\n".join(lines))
    assert ended(["rank", tmp_path / "mine.csv", "--out", tmp_path / "report", *options]) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert re.search(sentence, said)
    assert not (tmp_path / "report").exists()


def test_folders_without_results_and_results_of_another_schema_are_named(tmp_path, capsys):
    assert ended(["rank", tmp_path]) == 2
    assert f"there is no result in {tmp_path}" in capsys.readouterr().err
    path = write_result(tmp_path / "results", Result("a", "t", "bn", "r", 0, 0, "f" * 64, "ok", 1.0, "top1"))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 99}))
    assert ended(["rank", tmp_path]) == 2
    assert "is not a result of schema 2 (it has 99)" in capsys.readouterr().err


def test_a_near_task_folder_is_named(tmp_path, capsys, folder):
    assert ended(["benchmark", "--task", folder.parent / "mien", "--checkpoints", "tiny-byol", *GRID]) == 0
    assert f"did you mean '{folder}'?" in capsys.readouterr().out


def test_a_rate_that_diverges_says_what_to_lower(tmp_path, capsys):
    options = [*SMALL, "recipe.search.lr=[1e30]"]
    assert ended([*RUN[:4], "--work-dir", tmp_path, "--protocol", "finetune", "--cfg-options", *options]) == 2
    assert "lower the learning rate" in capsys.readouterr().err


def test_an_interrupted_run_says_one_sentence_and_the_same_command_continues(tmp_path, capsys, monkeypatch):
    command = [*RUN[:4], "--work-dir", tmp_path / "run", "--protocol", "bn", "--cfg-options", *SMALL]
    save, labels = Session.save, []

    def interrupted(self, label, position):
        save(self, label, position)
        raise KeyboardInterrupt

    def counted(self, label, position):
        labels.append((label, position.epoch))
        save(self, label, position)

    monkeypatch.setattr(Session, "save", interrupted)
    assert ended(command) == 130
    assert capsys.readouterr().err == "interrupted: finished work is kept; run the same command to continue\n"
    monkeypatch.setattr(Session, "save", counted)
    assert ended(command) == 0
    assert labels[0] == ("search0", 2)  # the first epoch was kept
    lines = capsys.readouterr().err.splitlines()
    assert all(re.fullmatch(r"trial \d \(lr [\d.]+.*\): [\d.]+ on val", line) for line in lines)
    assert len(lines) > 1  # a line a trial where no bar is drawn
    (found,) = read_results(tmp_path / "run" / "results")
    assert len(found.details["curve"]) == 3
    assert not list((tmp_path / "run").glob("resume-*"))
