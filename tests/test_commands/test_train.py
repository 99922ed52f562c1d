"""tools/train.py as a person uses it, in a process of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmbnft.result_files import read_results

SMALL = ["task.train_size=48", "task.val_size=20", "task.test_size=40", "recipe.epochs=2", "recipe.batch_size=16"]


def train(config, work_dir, *arguments, options=()):
    command = [sys.executable, "tools/train.py", str(config), "--work-dir", str(work_dir), "--wandb", "off", *arguments]
    if options:
        command += ["--cfg-options", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def sentence(done):
    """The one line a person sees when something is wrong."""
    assert done.returncode == 2, done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ")
    return last


def test_a_shipped_checkpoint_is_run_in_the_published_spelling(tmp_path):
    options = [*SMALL, "load_from=tiny-rotation"]
    arguments = ["--protocol", "bn_paper", "--seed", "3", "--wandb", "off"]
    arguments += ["--wandb_project", "p", "--wandb_run_name", "n"]
    command = [sys.executable, "tools/train.py", "configs/digits/tiny18.py", "--work_dir", str(tmp_path), *arguments]
    done = subprocess.run([*command, "--cfg-options", *options], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    (result,) = read_results(tmp_path / "results")
    assert (result.checkpoint, result.protocol, result.seed) == ("tiny-rotation", "bn_paper", 3)
    assert f"test top1 {result.value:.2f} %" in done.stdout
    assert result.details["certificate"]["matched"] == 120
    assert not result.details["certificate"]["partial"]
    assert result.details["hashes"]["checkpoint"] == result.details["certificate"]["sha256"]
    assert (tmp_path / "train.log").stat().st_size > 0
    assert not list(tmp_path.glob("**/*.part"))


def test_a_published_recipe_is_one_option(tmp_path):
    options = [*SMALL[:3], "recipe.epochs=1"]
    done = train("configs/digits/tiny18.py", tmp_path, "--protocol", "linear", "--recipe", "vpulab", options=options)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "recipe vpulab-derived: nothing valid was published for linear on digits" in done.stdout
    (result,) = read_results(tmp_path / "results")
    assert (result.recipe, result.details["config"]["recipe"]["batch_size"]) == ("vpulab-derived", 8)
    assert (result.details["chosen"], len(result.details["curve"])) == ({}, 1)


def test_a_killed_run_resumes_to_the_uninterrupted_result(tmp_path):
    config, options = "configs/digits/tiny18.py", [*SMALL, "protocol=bn", "recipe.epochs=6"]
    whole = train(config, tmp_path / "whole", options=options)
    assert whole.returncode == 0, whole.stderr[-2000:]
    command = [sys.executable, "tools/train.py", config, "--work-dir", str(tmp_path / "killed"), "--wandb", "off"]
    process = subprocess.Popen([*command, "--cfg-options", *options], stderr=subprocess.DEVNULL)
    deadline = time.time() + 120
    while not list((tmp_path / "killed").glob("resume-*.pth")) and time.time() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed" / "results").exists()
    resumed = train(config, tmp_path / "killed", options=options)
    assert resumed.returncode == 0, resumed.stderr[-2000:]
    (expected,), (found,) = read_results(tmp_path / "whole" / "results"), read_results(tmp_path / "killed" / "results")
    assert (found.key, found.value) == (expected.key, expected.value)
    assert [e["loss"] for e in found.details["curve"]] == [e["loss"] for e in expected.details["curve"]]


@pytest.fixture
def folder(tmp_path):
    """A prepared task of real files: two classes, six images a split."""
    root = tmp_path / "task"
    (root / "images").mkdir(parents=True)
    (root / "lists" / "0").mkdir(parents=True)
    (root / "task.json").write_text(json.dumps(dict(name="mine", classes=["a", "b"], metric="top1")))
    random = np.random.default_rng(0)
    for split in ("train", "val", "test"):
        names = [f"{split} {i}.png" for i in range(6)]
        for name in names:
            Image.fromarray(random.integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(root / "images" / name)
        lines = [f"{name} {i % 2}\n" for i, name in enumerate(names)]
        (root / "lists" / "0" / f"{split}.txt").write_text("".join(lines))
    config = tmp_path / "mine.py"
    base = Path.cwd() / "configs" / "_base_"
    config.write_text(
        f"_base_ = ['{base}/models/tiny18.py', '{base}/recipes/small.py']\n"
        f"task = dict(type='list_task', root='{root}')\n"
        "protocol = 'bn'\nrecipe = dict(epochs=1, batch_size=4)\n"
    )
    return root, config


def test_own_files_are_read_by_worker_processes(folder, tmp_path):
    root, config = folder
    done = train(config, tmp_path / "out", "--workers", "1", "--cache", str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr[-2000:]
    assert read_results(tmp_path / "out" / "results")[0].task == "mine"
    assert len(list((tmp_path / "cache" / "images").glob("*.array"))) == 3
    corrupt = root / "images" / "train 3.png"
    corrupt.write_bytes(corrupt.read_bytes()[:100])
    broken = sentence(train(config, tmp_path / "broken", "--workers", "1"))
    assert f"image {corrupt} (listed at {root}/lists/0/train.txt:4) cannot be decoded" in broken
    assert not (tmp_path / "broken" / "results").exists()


@pytest.mark.parametrize(
    ("break_it", "expected"),
    [
        (lambda root: (root / "images" / "val 1.png").unlink(), "lists/0/val.txt:2: image"),
        (lambda root: (root / "lists/0/test.txt").write_text("test 0.png 7\n"), "test.txt:1: class number 7 is out"),
        (
            lambda root: (root / "lists/0/train.txt").write_text("train 0.png 1\n"),
            "classes have no train image, e.g. 'a'",
        ),
        (lambda root: shutil.rmtree(root / "lists"), "has no split 0; it has: none"),
    ],
)
def test_wrong_data_is_one_sentence_before_anything_is_written(folder, tmp_path, break_it, expected):
    root, config = folder
    break_it(root)
    assert expected in sentence(train(config, tmp_path / "out"))
    assert not (tmp_path / "out" / "results").exists()


def test_unwritable_work_dir_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    done = train("configs/digits/tiny18.py", tmp_path / "file" / "out", "--protocol", "bn", options=SMALL)
    assert "choose a folder you may write to" in sentence(done)


def test_tensorboard_files_are_written_when_asked(tmp_path):
    done = train("configs/digits/tiny18.py", tmp_path, "--protocol", "linear", "--tensorboard", options=SMALL)
    assert done.returncode == 0, done.stderr[-2000:]
    # The search's trainings and the refit have a folder each; the run's own has its value on test.
    trainings = sorted(path.name for path in tmp_path.glob("tensorboard/training-*"))
    assert trainings == [f"training-{n + 1}" for n in range(len(trainings))]
    assert len(trainings) > 1
    assert list(tmp_path.glob("tensorboard/*/digits/linear/s0/events.out.tfevents.*"))
