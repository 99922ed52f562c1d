import gc

import numpy as np
import pytest
import torch

from mmbnft.fewshot.episode_images import ChosenImages
from mmbnft.tasks import ArrayImages, Task, TaskDataset, converted
from mmbnft.tasks.converted import ConvertedImages
from mmbnft.tasks.images import JoinedImages

TENSOR = [dict(type="ToTensor")]
HALVES = [dict(type="ToTensor"), dict(type="Normalize", mean=[0.5] * 3, std=[0.5] * 3)]
IMAGE = 3 * 8 * 8 * 4  # bytes of one tensor


def array(count, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    return ArrayImages(pixels, np.arange(count) % 2)


@pytest.fixture
def task():
    return Task("t", ("a", "b"), "top1", {"train": array(6, 0), "val": array(4, 1), "test": array(4, 2)})


@pytest.fixture(autouse=True)
def nothing_kept():
    ConvertedImages._kept.clear()


def kept():
    return sum(len(tensors) for images in ConvertedImages._kept.values() for tensors in images.values())


def test_data_sets_of_the_same_images_and_pipeline_share_tensors(task):
    first, again = TaskDataset(task, "val", TENSOR), TaskDataset(task, "val", TENSOR)
    joined = TaskDataset(task, "trainval", TENSOR)
    assert first[1]["img"] is again[1]["img"] is joined[6 + 1]["img"]
    assert joined[1]["img"] is TaskDataset(task, "train", TENSOR)[1]["img"]
    assert not torch.equal(joined[1]["img"], first[1]["img"])
    other = TaskDataset(task, "val", HALVES)
    torch.testing.assert_close(other[1]["img"], first[1]["img"] * 2 - 1)
    assert kept() == 3


@pytest.mark.parametrize("choose", [lambda pool: pool, lambda pool: ChosenImages(pool, np.array([1, 5, 6, 13]))])
def test_images_joined_twice_and_chosen_are_found(task, choose):
    images = choose(JoinedImages([task.images("trainval"), task.images("test")]))
    for index in range(len(images)):
        source, number = images.locate(index)
        assert isinstance(source, ArrayImages)
        np.testing.assert_array_equal(source.pixels(number), images.pixels(index))


def test_tensors_go_with_their_images():
    def use():
        images = array(4, 0)
        task = Task("t", ("a", "b"), "top1", dict.fromkeys(("train", "val", "test"), images))
        dataset = TaskDataset(task, "val", TENSOR)
        assert dataset[0]["img"] is dataset[0]["img"]
        assert kept() == 1

    use()
    gc.collect()
    assert kept() == 0


def test_beyond_the_limit_tensors_are_made_anew(task, monkeypatch):
    monkeypatch.setattr(converted, "MEMORY_LIMIT", 5 * IMAGE)
    dataset = TaskDataset(task, "train", TENSOR)
    images = [dataset[index]["img"] for index in range(6)]
    assert kept() == 5
    assert [dataset[index]["img"] is image for index, image in enumerate(images)] == [True] * 5 + [False]
    assert all(torch.equal(dataset[index]["img"], image) for index, image in enumerate(images))


def test_the_pipeline_used_longest_ago_gives_way(task, monkeypatch):
    monkeypatch.setattr(converted, "MEMORY_LIMIT", 9 * IMAGE)
    third = [*HALVES[:1], dict(type="Normalize", mean=[0.25] * 3, std=[0.5] * 3)]
    first, second, last = (TaskDataset(task, "val", steps) for steps in (TENSOR, HALVES, third))
    kept_first, kept_second = ([one[index]["img"] for index in range(4)] for one in (first, second))
    [last[index] for index in range(4)]
    assert kept() == 8
    assert all(second[index]["img"] is image for index, image in enumerate(kept_second))
    assert first[0]["img"] is not kept_first[0]
