"""A task that can only fail later, or give a wrong number in silence, is refused when it is built."""

import json

import numpy as np
import pytest
from PIL import Image

from mmbnft.tasks import ArrayImages, Task, build_task
from mmbnft.utils.errors import UserError

HOT = np.array([[1, 0], [0, 1]], np.uint8)  # as many images as classes: top-1 gave a number


def make(labels, metric="top1", multi_label=False, name="t", val=None, classes=("cat", "dog")):
    def images(labels, shade):
        return ArrayImages(np.full((len(labels), 4, 4, 3), shade, np.uint8), np.asarray(labels))

    splits = dict(train=images(labels, 0), val=images(labels if val is None else val, 1), test=images(labels, 2))
    return Task(name, classes, metric, splits, multi_label=multi_label)


@pytest.mark.parametrize("metric", ["top1", "mean_per_class"])
def test_metrics_of_one_class_an_image_on_multi_hot_labels(metric):
    words = f"task t: the metric {metric} is not defined for several classes per image; use map11 or roc_auc"
    with pytest.raises(UserError, match=words):
        make(HOT, metric, multi_label=True)


def test_map11_on_class_numbers():
    with pytest.raises(UserError, match="map11 is not defined for one class per image; use mean_per_class or roc_auc"):
        make([0, 1], "map11")


def test_labels_that_are_not_what_the_task_says():
    with pytest.raises(UserError, match=r"train labels must be \(N,\) class numbers, got the shape \(2, 2\)"):
        make(HOT)
    with pytest.raises(UserError, match=r"train labels must be \(N, 2\) multi-hot rows, got the shape \(2,\)"):
        make([0, 1], "map11", multi_label=True)
    with pytest.raises(UserError, match="train labels run from 0 to 2, but 0 to 1 is allowed with 2 classes"):
        make([0, 1, 2])


@pytest.mark.parametrize(
    ("labels", "val", "metric", "multi_label"),
    [
        ([0, 1], [0, 0], "roc_auc", False),
        (HOT, [[1, 0], [0, 0]], "roc_auc", True),
        (HOT, [[1, 0], [0, 0]], "map11", True),
    ],
)
def test_a_metric_that_needs_every_class_in_val(labels, val, metric, multi_label):
    with pytest.raises(UserError, match=f"t, val: 1 of 2 classes have no image, e.g. 'dog', and {metric} is undefined"):
        make(labels, metric, multi_label, val=np.array(val, np.uint8 if multi_label else int))


def test_roc_auc_needs_an_image_without_each_class():
    with pytest.raises(UserError, match="t, val: 1 of 2 classes are in every image, e.g. 'cat'"):
        make(HOT, "roc_auc", True, val=np.array([[1, 0], [1, 1]], np.uint8))


def test_the_same_val_is_fine_for_a_metric_that_does_not_need_it():
    assert make([0, 1], val=[0, 0]).metric == "top1"


NAMES = ["../../x", "a/b", "..", "", " a", ".hidden", "a\nb", "c:x", "a\\b", "n" * 101, 7]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_leads_out_of_a_folder(name, tmp_path):
    with pytest.raises(UserError, match="task name .* (cannot be part of a file name|is longer than 100 bytes)"):
        make([0, 1], name=name)


def test_names_in_task_json_are_held_to_it(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "lists" / "0").mkdir(parents=True)
    for number, part in enumerate(("train", "val", "test")):
        for label in (0, 1):
            Image.fromarray(np.full((4, 4, 3), 2 * number + label, np.uint8)).save(
                tmp_path / f"images/{part}{label}.png"
            )
        (tmp_path / "lists" / "0" / f"{part}.txt").write_text(f"{part}0.png 0\n{part}1.png 1\n")
    (tmp_path / "task.json").write_text(json.dumps(dict(name="../../x", classes=["a", "b"], metric="top1")))
    with pytest.raises(UserError, match=r"task name '\.\./\.\./x' cannot be part of a file name"):
        build_task(dict(type="list_task", root=str(tmp_path)))
    assert build_task(dict(type="list_task", root=str(tmp_path), name="my task 1")).name == "my task 1"
