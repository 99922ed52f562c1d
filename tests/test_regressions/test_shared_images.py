"""Images that two splits share, through whatever link, name or copy, are refused."""

import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from mmbnft.tasks import ArrayImages, SplitLedger, Task, build_task, refuse_shared_images
from mmbnft.utils.errors import UserError

PAIRS = [("train", "test", "trained"), ("val", "test", "chosen"), ("train", "val", "trained")]
SHARING = {
    "symlink": lambda source, place: place.symlink_to(source),
    "hard link": lambda source, place: os.link(source, place),
    "copy": shutil.copy,
}


@pytest.fixture
def task_of(tmp_path):
    def build(first, second, share):
        """A task folder in which the images of list `second` are those of `first` under other names."""
        (tmp_path / "images").mkdir()
        (tmp_path / "lists" / "0").mkdir(parents=True)
        for number, part in enumerate(("train", "val", "test")):
            for label in (0, 1):
                place = tmp_path / "images" / f"{part}{label}.png"
                if part == second:
                    share(tmp_path / "images" / f"{first}{label}.png", place)
                else:
                    Image.fromarray(np.full((4, 4, 3), 2 * number + label, np.uint8)).save(place)
            (tmp_path / "lists" / "0" / f"{part}.txt").write_text(f"{part}0.png 0\n{part}1.png 1\n")
        (tmp_path / "task.json").write_text(json.dumps(dict(name="t", classes=["a", "b"], metric="top1")))
        return build_task(dict(type="list_task", root=str(tmp_path)))

    return build


@pytest.mark.parametrize("share", SHARING)
@pytest.mark.parametrize(("first", "second", "use"), PAIRS)
def test_files(task_of, first, second, use, share):
    task = task_of(first, second, SHARING[share])
    words = f"2 of 2 {second} images are in {first} too, e.g. .*{second}0.png; .* {use} on"
    with pytest.raises(UserError, match=words):
        SplitLedger(task)


@pytest.mark.parametrize(("first", "second", "use"), PAIRS)
def test_arrays_with_other_labels_or_in_another_order(first, second, use):
    pictures = {part: np.full((2, 4, 4, 3), 40 * k, np.uint8) for k, part in enumerate(("train", "val", "test"))}
    for images in pictures.values():
        images[1] += 1
    pictures[second] = pictures[first][::-1]
    labels = {part: np.array([0, 1] if part == first else [1, 0]) for part in pictures}
    task = Task("t", ("a", "b"), "top1", {part: ArrayImages(pictures[part], labels[part]) for part in pictures})
    with pytest.raises(UserError, match=f"2 of 2 {second} images are in {first} too; .* {use} on"):
        refuse_shared_images(task)
