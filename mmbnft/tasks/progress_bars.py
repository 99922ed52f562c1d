"""Progress bars on standard error, and none where nobody watches."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from rich.console import Console
from rich.progress import track

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


def progress(items: Iterable[Item], description: str, total: float | None = None) -> Iterable[Item]:
    """Iterate over `items` under a progress bar.

    Args:
        items: What to iterate over.
        description: Text beside the bar.
        total: Number of items, where they cannot be counted.
    """
    return track(
        items, description, total, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
    )


def in_threads(work: Callable[[Item], Outcome], items: Sequence[Item], description: str) -> Iterator[Outcome]:
    """Yield `work(item)` in the order of the items, done by one thread a core; decoding releases Python's lock.

    Args:
        work: What to do with an item.
        items: The items.
        description: Text beside the progress bar.
    """
    pool = ThreadPoolExecutor(max_workers=os.cpu_count())
    try:
        yield from progress(pool.map(work, items), description, total=len(items))
    finally:
        pool.shutdown(cancel_futures=True)  # an interruption does not wait for the images that are left
