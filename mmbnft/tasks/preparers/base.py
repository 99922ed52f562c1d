"""The one interface of all preparers: facts, and a reader of the official layout."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mmbnft.tasks.preparers.facts import Facts


class Entry(NamedTuple):
    """One image of a list.

    Attributes:
        name: Path relative to the `images/` folder, with forward slashes.
        label: Class number, or the class numbers of a multi-label task.
    """

    name: str
    label: int | tuple[int, ...]


def numbers(entry: Entry) -> tuple[int, ...]:
    """The class numbers of an entry; one unless the task is multi-label."""
    return entry.label if isinstance(entry.label, tuple) else (entry.label,)


def single_labels(entries: Sequence[Entry]) -> list[int]:
    """The class number of every entry of a task with one class an image."""
    return [number for entry in entries for number in numbers(entry)]


class Lists(NamedTuple):
    """The three lists of one official split."""

    train: list[Entry]
    val: list[Entry]
    test: list[Entry]


@dataclass(frozen=True)
class Reading:
    """What a preparer found.

    Attributes:
        classes: Class names; the position is the class number.
        splits: Lists by split name, in the order of the split numbers.
    """

    classes: tuple[str, ...]
    splits: Mapping[str, Lists]

    def names(self) -> list[str]:
        """Every listed image once, sorted."""
        return sorted({entry.name for lists in self.splits.values() for part in lists for entry in part})


class Preparer(ABC):
    """Reads one data set in its official layout.

    Args:
        facts: Replaces the official facts, e.g. for another release of the data.
    """

    facts: Facts

    def __init__(self, facts: Facts | None = None) -> None:
        if facts is not None:
            self.facts = facts

    @abstractmethod
    def read(self, images: Path) -> Reading:
        """Read classes and lists from the unpacked archives in `images`.

        Raises:
            UserError: A file is missing or not as published; the message names it.
        """
