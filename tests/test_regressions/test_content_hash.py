"""What a run's key says of a task: contents of images, labels, classes, metric; nothing that is only a name."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from mmbnft.tasks import ArrayImages, SplitLedger, Task, build_task


@pytest.fixture
def folder(tmp_path):
    """A prepared task of six grey pictures."""
    (tmp_path / "images").mkdir()
    (tmp_path / "lists" / "0").mkdir(parents=True)
    (tmp_path / "task.json").write_text(json.dumps(dict(name="t", classes=["a", "b"], metric="top1")))
    for part, start in (("train", 0), ("val", 2), ("test", 4)):
        for number in (start, start + 1):
            save(tmp_path / "images" / f"{number}.png", number)
        (tmp_path / "lists" / "0" / f"{part}.txt").write_text(f"{start}.png 0\n{start + 1}.png 1\n")
    return tmp_path


def save(path, shade):
    Image.fromarray(np.full((4, 4, 3), shade, np.uint8)).save(path)


def content_hash(folder, **options):
    return build_task(dict(type="list_task", root=str(folder), **options)).content_hash


def test_black_pictures_have_another_hash(folder):
    before = content_hash(folder)
    assert content_hash(folder) == before
    for path in (folder / "images").iterdir():
        save(path, 200)
    assert content_hash(folder) != before


def test_one_other_picture_label_class_or_metric_is_enough(folder):
    hashes = [
        content_hash(folder),
        content_hash(folder, metric="mean_per_class"),
        content_hash(folder, classes=["x", "y"]),
    ]
    (folder / "lists" / "0" / "val.txt").write_text("2.png 1\n3.png 0\n")
    hashes.append(content_hash(folder))
    save(folder / "images" / "5.png", 99)
    hashes.append(content_hash(folder))
    assert len(set(hashes)) == 5


def test_names_of_files_folder_and_task_do_not_matter(folder, tmp_path):
    before = content_hash(folder)
    (folder / "images" / "5.png").rename(folder / "images" / "renamed.png")
    (folder / "lists" / "0" / "test.txt").write_text("4.png 0\nrenamed.png 1\n")
    assert content_hash(folder, name="other") == before
    moved = folder.rename(folder.parent / f"{folder.name}-moved")
    assert content_hash(moved) == before


def test_multi_label_enters(folder):
    task = build_task(dict(type="list_task", root=str(folder)))
    facts = json.loads((folder / "task.json").read_text())
    (folder / "task.json").write_text(json.dumps(facts | {"multi_label": True, "metric": "roc_auc"}))
    multi = build_task(dict(type="list_task", root=str(folder)))
    assert multi.content_hash != dataclasses.replace(task, metric="roc_auc").content_hash


@pytest.mark.parametrize(
    "config",
    [
        dict(type="digits", train_size=20, val_size=20, test_size=20),
        dict(type="drawn", train_size=8, val_size=8, test_size=8),
        dict(type="glyphs", classes=2, train_size=4, val_size=4, test_size=4),
    ],
)
def test_tasks_in_memory_have_one_too(config):
    task = build_task(config)
    assert task.content_hash == build_task(config).content_hash == SplitLedger(task).content_hash
    assert task.content_hash != build_task(config, split=1).content_hash


def test_one_pixel_of_an_array_is_enough():
    pictures = np.arange(6 * 12, dtype=np.uint8).reshape(6, 2, 2, 3)

    def task(pictures):
        parts = zip(("train", "val", "test"), np.split(pictures, 3), strict=True)
        return Task("t", ("a", "b"), "top1", {part: ArrayImages(images, np.array([0, 1])) for part, images in parts})

    changed = pictures.copy()
    changed[5, 1, 1, 2] += 1
    assert task(pictures).content_hash != task(changed).content_hash
