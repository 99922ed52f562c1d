"""Passes of a fixed size, and ranges of episodes."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor


def in_fixed_batches(compute: Callable[[Tensor], Tensor], images: Tensor, size: int, dim: int = 0) -> Tensor:
    """What `compute` makes of images, handed over `size` at a time, the last batch filled up with copies.

    Kernels choose how to add up by the shape of a batch. With one shape always, what comes out for an image is the same
    to the last bit whichever others are there.

    Args:
        compute: From images to values, one for each along `dim`.
        images: Images along `dim`, at least one.
        size: Images of every batch.
        dim: Dimension that counts images, in what goes in and what comes out.
    """
    values = []
    for batch in images.split(size, dim):
        count = batch.shape[dim]
        filling = [batch.narrow(dim, count - 1, 1)] * (size - count)
        values.append(compute(torch.cat([batch, *filling], dim)).narrow(dim, 0, count))
    return torch.cat(values, dim)


def chunks(count: int, size: int) -> Iterable[range]:
    """Ranges of at most `size` numbers that cover 0 to count - 1."""
    return (range(start, min(start + size, count)) for start in range(0, count, size))
