import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from mmbnft.tasks import build_task
from mmbnft.tasks.glyphs import character
from mmbnft.utils.errors import UserError

SMALL = dict(type="glyphs", classes=12, train_size=120, val_size=24, test_size=48, image_size=24)


def test_glyphs_are_deterministic_balanced_and_split():
    task, again = build_task(SMALL), build_task(SMALL)
    assert task.hashes == again.hashes
    assert build_task(SMALL, split=1).hashes["train"] != task.hashes["train"]
    assert build_task(dict(SMALL, alphabet=1)).hashes["train"] != task.hashes["train"]
    assert np.bincount(task.images("train").labels).tolist() == [10] * 12
    images = [image.tobytes() for split in ("train", "val", "test") for image in task.images(split).images]
    assert len(set(images)) == len(images)


def test_there_are_many_different_characters():
    strokes = {character(0, number).tobytes() for number in range(500)}
    assert len(strokes) == 500
    assert {len(character(0, number)) for number in range(50)} == {2, 3, 4}
    assert max(np.abs(character(0, number)).max() for number in range(50)) <= 0.9
    assert len(build_task(dict(type="glyphs", train_size=64, val_size=64, test_size=64, image_size=8)).classes) == 64


def test_form_tells_classes_and_colour_does_not():
    task = build_task(SMALL)
    train, test = (task.images(split) for split in ("train", "test"))
    colours = [part.images.reshape(len(part), -1, 3).mean(1) / 255 for part in (train, test)]
    assert LogisticRegression().fit(colours[0], train.labels).score(colours[1], test.labels) < 0.3  # chance is 0.083
    pixels = [part.images.mean(-1).reshape(len(part), -1) for part in (train, test)]
    pixels = [(p - p.mean(1, keepdims=True)) / p.std(1, keepdims=True) for p in pixels]
    assert KNeighborsClassifier(1).fit(pixels[0], train.labels).score(pixels[1], test.labels) > 0.4


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict(classes=1), "classes of glyphs must be a whole number from 2, got 1"),
        (dict(hand=2), "hand must be a fraction from 0 to 1, got 2"),
        (dict(test_size=11), "test_size must be at least 12"),
    ],
)
def test_impossible_glyphs_are_refused(changes, words):
    with pytest.raises(UserError, match=words):
        build_task(SMALL | changes)
