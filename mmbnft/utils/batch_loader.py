"""A data loader that knows how much memory its processes may share, and says so when they die of it."""

import functools
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader, Dataset, Sampler

from mmbnft.utils.errors import UserError

SHARED_MEMORY = Path("/dev/shm")  # where Linux keeps what torch's processes hand to each other
AHEAD = 2  # batches a data-loading process prepares in advance, torch's default


class BatchLoader(DataLoader):
    """Loads batches in as many processes as shared memory has room for.

    Data-loading processes hand batches over in shared memory. Where that is small (64 MB in a container by default),
    the operating system ends them at the first batch too many. So the room is looked at first: where it does not
    suffice, this process loads the batches itself, which gives the same ones.

    Args:
        dataset: Items are dictionaries with `img`, a tensor.
        batches: Yields the item numbers of each batch.
        batch_size: Items of the largest batch.
        workers: Data-loading processes wanted.
    """

    def __init__(
        self, dataset: Dataset, batches: Sampler[list[int]] | list[list[int]], batch_size: int, workers: int
    ) -> None:
        count = workers if has_room(dataset, batch_size, workers) else 0
        super().__init__(dataset, batch_sampler=batches, num_workers=count)

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # torch's own type is private
        """Yield the batches.

        Raises:
            UserError: The operating system ended a data-loading process.
        """
        try:
            yield from super().__iter__()
        except RuntimeError as error:
            if "DataLoader worker" not in str(error) and "shared memory" not in str(error):
                raise
            raise UserError(
                f"the operating system ended a data-loading process ({self.num_workers} are running): memory or "
                f"{SHARED_MEMORY} is too small; use --workers 0, or give the container more with --shm-size"
            ) from error


def has_room(dataset: Dataset, batch_size: int, workers: int) -> bool:
    """Whether shared memory has room for what `workers` processes prepare in advance; says once where it has not.

    Args:
        dataset: Its first item stands for all.
        batch_size: Items of a batch.
        workers: Data-loading processes; none needs no shared memory.
    """
    if workers < 1 or not SHARED_MEMORY.is_dir():
        return True
    image = dataset[0]["img"]
    siblings = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    need = image.numel() * image.element_size() * batch_size * (AHEAD * workers + 1) * siblings
    free = shutil.disk_usage(SHARED_MEMORY).free
    if need <= free:
        return True
    _say_once(
        f"warning: {workers} data-loading processes need {need / 2**20:,.0f} MB of shared memory and {SHARED_MEMORY} "
        f"has {free / 2**20:,.0f} MB free, so the images are loaded in the process itself, which is slower; give the "
        "container more with --shm-size\n"
    )
    return False


@functools.lru_cache(maxsize=1)
def _say_once(sentence: str) -> None:
    sys.stderr.write(sentence)
