from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmbnft import commands
from mmbnft.tasks import list_task
from mmbnft.tasks.preparers import PREPARERS
from mmbnft.utils.files import read_json


@pytest.fixture
def command(capsys):
    """Run the command in this process; its status, output and errors."""

    def run(*arguments):
        status = commands.run("prepare-data", [*map(str, arguments)])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def images(tmp_path):
    for label, name in enumerate(("left", "right")):
        (tmp_path / "mine" / name).mkdir(parents=True)
        for i in range(10):
            noise = np.random.RandomState(10 * label + i).randint(0, 256, (6, 6, 3), dtype=np.uint8)
            Image.fromarray(noise).resize((40, 40)).save(tmp_path / "mine" / name / f"{i}.png")
    return tmp_path / "mine"


def test_own_folder_becomes_a_task(tmp_path, images, command):
    arguments = ("folder", "--images", images, "--name", "sides", "--root", tmp_path / "data", "--metric", "roc_auc")
    command(*arguments)
    status, output, errors = command(*arguments)  # the second call confirms
    assert (status, errors) == (0, "")
    assert "20 confirmed by size and date" in output
    assert "split 0: 0 exact and 0 near duplicates across its lists" in output
    task = list_task(str(tmp_path / "data" / "sides"))
    assert (task.classes, task.metric, len(task.images("train"))) == (("left", "right"), "roc_auc", 12)
    assert read_json(tmp_path / "data" / "sides" / "task.json")["leakage"]["splits"]["0"]["lists"] == task.hashes


def test_leakage_is_reported(tmp_path, images, command):
    for i in range(10):
        Image.open(images / "left" / f"{i}.png").save(images / "right" / f"{i}.png", compress_level=1)  # other bytes
    status, output, _ = command("folder", "--images", images, "--name", "sides", "--root", tmp_path / "data")
    found = read_json(tmp_path / "data" / "sides" / "task.json")["leakage"]["splits"]["0"]
    assert status == 0
    assert found["exact"] > 0
    assert f"{found['exact']} exact and {found['near']} near duplicates" in output


def test_missing_archive_is_one_sentence(tmp_path, command):
    status, output, errors = command("mhist", "--root", tmp_path)
    assert (status, output) == (2, "")
    assert errors.startswith("error: mhist needs images.zip, annotations.csv from https://bmirds.github.io/MHIST/")
    assert "Dataset Research Use Agreement" in errors
    assert errors.count("\n") == 1


def test_options_reach_the_preparer(tmp_path, monkeypatch, command):
    calls = []

    def prepare(preparer, root, archives, fetch, check):
        calls.append((preparer.facts.name, root, archives, fetch, check))
        raise KeyboardInterrupt

    monkeypatch.setattr("mmbnft.tasks.preparers.prepare", prepare)
    options = ("--archive", "a.zip", "b.zip", "--download", "--check")
    status, _, errors = command("dtd", "--root", tmp_path, *options)
    assert status == 130
    assert "interrupted" in errors
    assert calls == [("dtd", tmp_path, [Path("a.zip"), Path("b.zip")], True, True)]


def test_csv_and_npz_reach_the_preparer(tmp_path, images, command):
    rows = [f"{side}/{i}.png,{side}" for side in ("left", "right") for i in range(10)]
    (images / "labels.csv").write_text("\n".join(["path,label", *rows]))
    status, output, errors = command("csv", "--file", images / "labels.csv", "--name", "a", "--root", tmp_path / "data")
    assert (status, errors) == (0, "")
    assert output.startswith("20 images of 2 classes: left 10, right 10\n")
    pictures = np.random.RandomState(0).randint(0, 256, (20, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=pictures, labels=np.arange(20) % 2)
    status, output, errors = command("npz", "--file", tmp_path / "a.npz", "--name", "b", "--root", tmp_path / "data")
    assert (status, errors) == (0, "")
    assert "split 0 (own): train 12, val 4, test 4" in output


def test_what_cannot_be_divided_is_one_sentence_after_what_was_understood(tmp_path, images, command):
    (images / "up").mkdir()
    Image.new("RGB", (40, 40), "red").save(images / "up" / "0.png")
    arguments = ("folder", "--images", images, "--name", "sides", "--root", tmp_path / "data")
    status, output, errors = command(*arguments)
    assert status == 2
    assert output.startswith("21 images of 3 classes: left 10, right 10, up 1\n")
    assert errors.startswith("error: class 'up' has 1 image; a split needs at least 3 of each class")
    assert errors.count("\n") == 1
    status, output, _ = command(*arguments, "--min-images", "2", "--skip-damaged")
    assert status == 0
    assert "left out, classes with fewer than 2 images: 1 (up 1)" in output


def test_help_lists_every_data_set(command, capsys):
    with pytest.raises(SystemExit):
        command("--help")
    text = capsys.readouterr().out
    assert all(name in text for name in PREPARERS)
