"""The group of processes that share one run."""

from dataclasses import dataclass
from typing import Any

import torch.distributed as dist


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
