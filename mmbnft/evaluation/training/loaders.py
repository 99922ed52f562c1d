"""Batches that do not depend on how many processes share them."""

import os
from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

from mmbnft.tasks import Images, TaskDataset
from mmbnft.utils.batch_loader import BatchLoader
from mmbnft.utils.errors import UserError
from mmbnft.utils.processes import Processes

# Starting processes for less than this many images costs more than they save.
WORTH_A_PROCESS = 2000
MOST_PROCESSES = 8


class EpochBatches(Sampler[list[int]]):
    """This process's share of every global batch of an epoch.

    The order of an epoch depends on (seed, epoch) alone. Every global batch is full, so that no step sees statistics of
    a few left-over images: the last is filled up from the beginning of the epoch's order. Each process takes a
    contiguous share; shares differ by one image where the processes do not divide the batch (see `SharedBatches`).

    Args:
        size: Number of images.
        batch_size: Images of a global batch; capped at `size`.
        seed: Seed of the order.
        processes: Who shares the batches.

    Attributes:
        epoch: Number of the epoch, to be set before each.
        limit: Steps after which the epoch breaks off, to be set before each; None for a whole one. Its length stays
            that of a whole epoch.

    Raises:
        UserError: A global batch has fewer images than there are processes.
    """

    def __init__(self, size: int, batch_size: int, seed: int, processes: Processes) -> None:
        self.size, self.seed, self.processes = size, seed, processes
        self.batch_size = min(batch_size, size)
        self.epoch = 0
        self.limit: int | None = None
        if self.batch_size < processes.count:
            raise UserError(
                f"a batch of {self.batch_size} images (batch_size {batch_size}, {size} images) cannot be shared by "
                f"{processes.count} processes; start at most {self.batch_size}, or set a larger batch_size"
            )

    @property
    def is_even(self) -> bool:
        """Whether every process gets as many images."""
        return self.batch_size % self.processes.count == 0

    def __len__(self) -> int:
        """Steps of a whole epoch."""
        return -(-self.size // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        """Yield this process's image numbers, step by step."""
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.size)
        filled = np.resize(order, len(self) * self.batch_size).reshape(len(self), self.batch_size)
        for batch in filled[: self.limit]:
            yield np.array_split(batch, self.processes.count)[self.processes.rank].tolist()


def train_loader(dataset: TaskDataset, batch_size: int, seed: int, processes: Processes, workers: int) -> BatchLoader:
    """A loader of shuffled training batches; its `batch_sampler` is an `EpochBatches`.

    Args:
        dataset: Images, transformed for training.
        batch_size: Images of a global batch.
        seed: Seed of the order.
        processes: Who shares the batches.
        workers: Data-loading processes of each process.

    Raises:
        UserError: A global batch has fewer images than there are processes.
    """
    batches = EpochBatches(len(dataset), batch_size, seed, processes)
    dataset.open()
    return BatchLoader(dataset, batches, -(-batches.batch_size // processes.count), workers)


def loading_workers(images: Images) -> int:
    """Data-loading processes that a run by itself is best given; results do not depend on their number.

    Args:
        images: The training images.

    Returns:
        One for every `WORTH_A_PROCESS` images that have to be read from files, at most the cores that this process may
        use and `MOST_PROCESSES`; none for images in memory.
    """
    if images.in_memory:
        return 0
    return min(len(images) // WORTH_A_PROCESS, len(os.sched_getaffinity(0)), MOST_PROCESSES)
