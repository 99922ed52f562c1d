"""Progress bars on standard error, and none where nobody watches."""

import sys
from collections.abc import Iterable
from typing import TypeVar

from rich.console import Console
from rich.progress import track

Item = TypeVar("Item")


def progress(items: Iterable[Item], description: str, total: float | None = None) -> Iterable[Item]:
    """Iterate over `items` under a progress bar."""
    return track(
        items, description, total, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
    )
