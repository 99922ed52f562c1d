import numpy as np
import pytest

from mmbnft.tasks import build_task
from mmbnft.utils.errors import UserError

LABELS = np.repeat(np.arange(3), [10, 20, 5])


def write(path, **arrays):
    random = np.random.default_rng(0)
    content = dict(
        images=random.integers(0, 255, (35, 8, 8, 3), dtype=np.uint8), labels=LABELS, names=np.array(["a", "b", "c"])
    )
    np.savez(path, **{name: value for name, value in (content | arrays).items() if value is not None})
    return dict(type="array_task", path=str(path))


def test_every_class_is_divided_and_every_image_is_in_one_split(tmp_path):
    config = write(tmp_path / "leaves.npz")
    task = build_task(config)
    assert (task.name, task.classes, task.metric) == ("leaves", ("a", "b", "c"), "top1")
    counts = [np.bincount(task.images(split).labels).tolist() for split in ("train", "val", "test")]
    assert counts == [[6, 12, 3], [2, 4, 1], [2, 4, 1]]
    with np.load(tmp_path / "leaves.npz") as content:
        theirs = {(image.tobytes(), label) for image, label in zip(content["images"], content["labels"], strict=True)}
    pool = task.images("all")
    assert {(pool.pixels(i).tobytes(), pool.labels[i]) for i in range(35)} == theirs
    assert build_task(config).hashes == task.hashes
    assert build_task(config, split=1).hashes != task.hashes
    assert build_task(dict(config, name="x")).name == "x"


def test_classes_without_names_are_called_by_number(tmp_path):
    assert build_task(write(tmp_path / "n.npz", names=None)).classes == ("0", "1", "2")


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (dict(labels=None), "lacks the array labels, it holds images, names"),
        (dict(labels=LABELS[:-1]), "35 images but 34 labels; give each one label"),
        (dict(labels=LABELS - 1), "must be whole numbers"),
        (dict(labels=LABELS + 0.5), "must be whole numbers .* got float64"),
        (dict(labels=LABELS[:, None, None]), r"must be whole numbers .* got int64 \(35, 1, 1\)"),
        (dict(names=np.array(["a", "b"])), "names in .* must be one text for each class 0 to 2, got 2"),
        (dict(names=np.array(["a", {}, None], dtype=object)), "is not an .npz file of plain arrays"),
        (dict(images=np.zeros((35, 8, 8, 3), np.float32)), "are float32, whose range is not known"),
        (dict(images=np.zeros((35, 8, 8, 8), np.uint8)), r"must be grey .* or RGB .*, got the shape \(35, 8, 8, 8\)"),
        (dict(labels=np.where(LABELS == 2, 1, LABELS) + np.eye(35, dtype=int)[0] * 2), "class 2 has 1 images"),
        (dict(labels=LABELS * 2, names=None), "classes have no train image"),
    ],
)
def test_arrays_that_are_no_task_are_refused(arrays, words, tmp_path):
    with pytest.raises(UserError, match=words):
        build_task(write(tmp_path / "a.npz", **arrays))


def test_a_file_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match="is not an .npz file of plain arrays"):
        build_task(dict(type="array_task", path=str(tmp_path / "no.npz")))
