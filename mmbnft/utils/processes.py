"""The group of processes that share one run."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch.distributed as dist

from mmbnft.utils.errors import UserError


@dataclass(frozen=True)
class Processes:
    """The group of processes that share one run.

    Attributes:
        rank: Number of this process.
        count: Number of processes.
    """

    rank: int = 0
    count: int = 1

    @classmethod
    def current(cls) -> "Processes":
        """The group this process belongs to; a group of one if none was opened."""
        if dist.is_available() and dist.is_initialized():
            return cls(dist.get_rank(), dist.get_world_size())
        return cls()

    @property
    def is_main(self) -> bool:
        """Whether this process writes results."""
        return self.rank == 0

    def gather(self, part: Any) -> list[Any]:
        """What every process holds, in the order of ranks, on every process."""
        if self.count == 1:
            return [part]
        parts: list[Any] = [None] * self.count
        dist.all_gather_object(parts, part)
        return parts

    @contextmanager
    def together(self) -> Iterator[None]:
        """What the block raises on one process, it raises on all.

        Otherwise the ones without an error would go on, and wait for the others at the next exchange. The block itself
        must not exchange anything: a process that leaves it early would be waited for.

        Raises:
            UserError: The block raised one on some process; the one of the lowest rank, on every process.
        """
        mistake: UserError | None = None
        try:
            yield
        except UserError as error:
            mistake = error
        found = next((error for error in self.gather(mistake) if error is not None), None)
        if found is not None:
            raise found
