import numpy as np
import pytest

from mmbnft.evaluation.training import loaders
from mmbnft.evaluation.training.loaders import EpochBatches
from mmbnft.tasks import Images
from mmbnft.utils.errors import UserError
from mmbnft.utils.processes import Processes


def batches(size, batch, rank=0, count=1, epoch=0):
    sampler = EpochBatches(size, batch, seed=3, processes=Processes(rank, count))
    sampler.epoch = epoch
    assert len(list(sampler)) == len(sampler)
    return list(sampler)


def test_every_image_occurs_and_every_batch_is_full():
    found = batches(10, 4)
    assert [len(batch) for batch in found] == [4, 4, 4]
    flat = [index for batch in found for index in batch]
    assert sorted(flat[:10]) == list(range(10))
    assert flat[10:] == flat[:2]


@pytest.mark.parametrize("count", [2, 4])
def test_processes_share_the_batches_of_one(count):
    whole = batches(10, 4)
    parts = [batches(10, 4, rank, count) for rank in range(count)]
    assert [[index for part in parts for index in part[step]] for step in range(3)] == whole


def test_order_depends_on_the_epoch_and_is_repeatable():
    assert batches(20, 5) == batches(20, 5)
    assert batches(20, 5) != batches(20, 5, epoch=1)


def test_small_sets_make_one_whole_batch():
    assert sorted(batches(3, 16)[0]) == [0, 1, 2]


def test_uneven_shares_differ_by_one_image_and_make_the_whole_batch():
    parts = [batches(20, 5, rank, 2) for rank in (0, 1)]
    assert [[len(batch) for batch in part] for part in parts] == [[3] * 4, [2] * 4]
    assert [first + second for first, second in zip(*parts, strict=True)] == batches(20, 5)


def test_fewer_images_than_processes_are_refused():
    with pytest.raises(UserError, match="a batch of 3 images .batch_size 8, 3 images. cannot be shared by 4 processes"):
        batches(3, 8, count=4)


def test_orders_are_uniform_enough():
    first = [batches(5, 5, epoch=e)[0][0] for e in range(500)]
    assert np.bincount(first, minlength=5).min() > 60


class OnDisk(Images):
    def __init__(self, count, in_memory=False):
        self.labels, self.in_memory = np.zeros(count, dtype=np.int64), in_memory

    def pixels(self, index):
        raise AssertionError("counting images reads none")

    name = pixels


def test_small_data_and_data_in_memory_are_loaded_without_processes(monkeypatch):
    monkeypatch.setattr(loaders.os, "sched_getaffinity", lambda _: set(range(6)))
    assert [loaders.loading_workers(OnDisk(n)) for n in (72, 1999, 2000, 9000, 10**6)] == [0, 0, 1, 4, 6]
    assert loaders.loading_workers(OnDisk(10**6, in_memory=True)) == 0
