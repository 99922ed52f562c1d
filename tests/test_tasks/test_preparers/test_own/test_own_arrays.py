import numpy as np
import pytest

from mmbnft.tasks import build_task, list_task
from mmbnft.tasks.preparers import OwnData, prepare_own
from mmbnft.utils.errors import UserError

SIZES = {"train": 18, "val": 9, "test": 12}


def medmnist(path, shape=(8, 8), classes=3, multi_label=False, **changes):
    """A file as MedMNIST publishes them."""
    random = np.random.RandomState(0)
    content = {}
    for part, size in SIZES.items():
        content[f"{part}_images"] = random.randint(0, 256, (size, *shape), dtype=np.uint8)
        labels = (np.arange(size) % classes)[:, None].astype(np.uint8)
        content[f"{part}_labels"] = random.permutation(np.eye(classes, dtype=np.uint8)[labels[:, 0]] | (
            labels == 0)) if multi_label else labels  # fmt: skip
    content = {name: array for name, array in (content | changes).items() if array is not None}
    np.savez(path, **content)
    return content


def prepared(path, **options):
    return list_task(str(prepare_own(OwnData(path, "med", arrays=True, **options), path.parent / "data").folder))


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 3), (8, 8, 1)])
def test_the_official_split_is_kept_and_pixels_are_exact(tmp_path, shape):
    content = medmnist(tmp_path / "a.npz", shape)
    for task in (prepared(tmp_path / "a.npz"), build_task(dict(type="array_task", path=str(tmp_path / "a.npz")))):
        assert (task.classes, task.metric, task.multi_label) == (("0", "1", "2"), "top1", False)
        for part, size in SIZES.items():
            images = task.images(part)
            assert images.labels.tolist() == content[f"{part}_labels"][:, 0].tolist()
            for k in range(size):
                pixels = content[f"{part}_images"][k]
                pixels = pixels if shape == (8, 8, 3) else np.repeat(pixels.reshape(8, 8, 1), 3, axis=-1)
                assert (images.pixels(k) == pixels).all()


def test_several_labels_an_image(tmp_path):
    content = medmnist(tmp_path / "a.npz", multi_label=True)
    for task in (prepared(tmp_path / "a.npz"), build_task(dict(type="array_task", path=str(tmp_path / "a.npz")))):
        assert (task.metric, task.multi_label) == ("roc_auc", True)
        assert (task.images("test").labels == content["test_labels"]).all()


def test_a_pool_is_divided(tmp_path):
    random = np.random.RandomState(0)
    np.savez(
        tmp_path / "a.npz",
        images=random.randint(0, 256, (30, 8, 8), dtype=np.uint8),
        labels=np.repeat([0.0, 1.0], 15),
        names=np.array(["cat", "ant"]),
    )
    task = prepared(tmp_path / "a.npz")
    assert task.classes == ("cat", "ant")
    assert [np.bincount(task.images(part).labels).tolist() for part in SIZES] == [[9, 9], [3, 3], [3, 3]]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict(val_labels=None), "lacks the array val_labels, it holds"),
        (
            dict(train_images=np.zeros((18, 8, 8), np.float32)),
            "train_images in .* are float32, whose range is not known",
        ),
        (dict(train_images=np.zeros((18, 8, 8, 8), np.uint8)), "volumes and other channels are not read"),
        (dict(test_labels=np.zeros((11, 1), int)), "12 test_images but 11 test_labels"),
        (dict(test_labels=np.zeros((12, 2), int)), "the labels of its splits have different shapes"),
        (dict(test_labels=np.full((12, 1), 0.5)), "test_labels in .* must be whole numbers"),
        (dict(train_labels=np.zeros((18, 1), int)), "class '1' has no train image"),
    ],
)
def test_files_that_are_refused(tmp_path, changes, words):
    medmnist(tmp_path / "a.npz", **changes)
    with pytest.raises(UserError, match=words):
        prepared(tmp_path / "a.npz")


def test_official_splits_have_one_number(tmp_path):
    medmnist(tmp_path / "a.npz")
    with pytest.raises(UserError, match="has official splits and so only split 0, got 1"):
        build_task(dict(type="array_task", path=str(tmp_path / "a.npz")), split=1)
