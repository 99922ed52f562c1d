"""Miniature folders of one's own images."""

import numpy as np
from PIL import Image

from mmbnft.tasks import list_task
from mmbnft.tasks.preparers import OwnData, prepare_own
from mmbnft.utils.files import read_json


def save(path, seed, **options):
    """A small random picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.RandomState(seed).randint(0, 256, (12, 10, 3), dtype=np.uint8)).save(path, **options)


def make_classes(folder, classes=("ant", "bee", "cat"), count=5, seed=0):
    """Class folders with `count` pictures each; their names."""
    names = [f"{name}/{k}.png" for name in classes for k in range(count)]
    for number, name in enumerate(names):
        save(folder / name, 1000 * seed + number)
    return names


def prepare(images, **options):
    """The prepared task, its remarks, and the names in each of its lists."""
    told = []
    folder = prepare_own(OwnData(images, "own", **options), images.parent / "data", tell=told.extend).folder
    task = list_task(str(folder))
    remarks = read_json(folder / "task.json")["remarks"]
    assert set(remarks) <= set(told)  # what is stored was shown
    return task, remarks, {part: _names(task, part) for part in ("train", "val", "test")}


def _names(task, part):
    images = task.images(part)
    return [images.name(k) for k in range(len(images))]
