import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from mmbnft.tasks import build_task
from mmbnft.tasks.drawn import FAMILIES
from mmbnft.utils.errors import UserError


def test_digits_are_scikit_learns_and_splits_are_disjoint():
    task = build_task(dict(type="digits", image_size=8, train_size=1000, val_size=297, test_size=500))
    pixels = np.concatenate([task.images(s).images for s in ("train", "val", "test")]).reshape(1797, -1)
    labels = np.concatenate([task.images(s).labels for s in ("train", "val", "test")])
    scans, truth = load_digits(return_X_y=True)
    ours = {(image[::3].tobytes(), int(label)) for image, label in zip(pixels, labels, strict=True)}
    theirs = {((scan * (255 / 16)).astype(np.uint8).tobytes(), int(n)) for scan, n in zip(scans, truth, strict=True)}
    assert ours == theirs


def test_digits_test_set_does_not_depend_on_the_training_size():
    small = build_task(dict(type="digits", train_size=100, val_size=50))
    large = build_task(dict(type="digits", train_size=1000, val_size=100))
    assert small.hashes["test"] == large.hashes["test"]
    assert build_task(dict(type="digits"), split=1).hashes["test"] != large.hashes["test"]


def test_digits_are_stratified():
    counts = np.bincount(build_task(dict(type="digits", train_size=100, val_size=50)).images("train").labels)
    assert counts.min() >= 9
    assert counts.max() <= 11


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_drawn_tasks_are_deterministic_balanced_and_split(family):
    config = dict(type="drawn", family=family, train_size=80, val_size=40, test_size=80)
    task, again, other = build_task(config), build_task(config), build_task(config, split=1)
    assert task.hashes == again.hashes
    assert task.hashes["train"] != other.hashes["train"]
    assert np.bincount(task.images("train").labels).tolist() == [10] * 8
    train = {image.tobytes() for image in task.images("train").images}
    assert not train & {image.tobytes() for image in task.images("test").images}


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_colour_alone_does_not_tell_classes(family):
    task = build_task(dict(type="drawn", family=family, train_size=800, val_size=80, test_size=800))
    means = {s: task.images(s).images.reshape(800, -1, 3).mean(1) / 255 for s in ("train", "test")}
    model = LogisticRegression().fit(means["train"], task.images("train").labels)
    assert model.score(means["test"], task.images("test").labels) < 0.25  # chance is 0.125


def test_impossible_sizes_are_refused():
    with pytest.raises(UserError, match="add up to 1900; there are 1797"):
        build_task(dict(type="digits", train_size=1000, val_size=400))
    with pytest.raises(UserError, match="train_size must be at least 8"):
        build_task(dict(type="drawn", train_size=3))
    with pytest.raises(UserError, match="unknown family 'faces'; allowed|unknown family 'faces' of drawn tasks"):
        build_task(dict(type="drawn", family="faces"))
    with pytest.raises(UserError, match="noise must be a fraction"):
        build_task(dict(type="drawn", noise=3))
