"""What was found of a person's data, before it is checked and divided."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmbnft.utils.errors import UserError

# Names under which people keep the three parts, and what each is here.
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
SHOWN = 5  # names that a remark lists


class Sample(NamedTuple):
    """One image.

    Attributes:
        name: Path below the task's `images/` folder, with forward slashes.
        content: Its file, the content of one, or its pixels uint8 (H, W) or (H, W, 3).
        labels: Class names; none only where an image may carry several.
        split: `train`, `val` or `test` if the data say so.
        group: What it belongs to, e.g. a patient, if the data say so.
    """

    name: str
    content: Path | bytes | np.ndarray
    labels: tuple[str, ...]
    split: str = ""
    group: str = ""


@dataclass(frozen=True)
class Found:
    """All images and what has to be told about them.

    Attributes:
        samples: The images.
        classes: Class names in the order of their numbers.
        multi_label: Whether an image may carry several classes.
        remarks: What was understood, and what was left out and why, as sentences.
    """

    samples: tuple[Sample, ...]
    classes: tuple[str, ...]
    multi_label: bool = False
    remarks: tuple[str, ...] = ()


@dataclass
class Skipped:
    """Names that are left out, by reason."""

    names: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, name: str) -> None:
        """Leave `name` out for `reason`."""
        self.names.setdefault(reason, []).append(name)

    def remarks(self) -> tuple[str, ...]:
        """One sentence for each reason."""
        return tuple(left_out(len(names), reason, names) for reason, names in self.names.items())


def left_out(count: int, reason: str, names: Iterable[str]) -> str:
    """A sentence about what is left out, with the first few names.

    Args:
        count: How many.
        reason: Why.
        names: What they are called.
    """
    shown = list(names)
    more = ", ..." if len(shown) > SHOWN else ""
    return f"left out, {reason}: {count:,} ({', '.join(shown[:SHOWN])}{more})"


def order_classes(labels: Iterable[str], where: str) -> tuple[str, ...]:
    """Class names in order: numbers by value, names in the order of their characters.

    Raises:
        UserError: Two labels are one number in two spellings, or differ only in letter case.
    """
    names = sorted(set(labels))
    spellings: dict[str, str] = {}
    for name in names:
        alike = str(int(name)) if is_number(name) else name.casefold()
        if alike in spellings:
            how = "are one number in two spellings" if is_number(name) else "differ only in letter case"
            raise UserError(
                f"{where}: the labels {spellings[alike]!r} and {name!r} {how}; spell every class the same way"
            )
        spellings[alike] = name
    return tuple(sorted(names, key=int) if all(is_number(name) for name in names) else names)


def is_number(label: str) -> bool:
    """Whether a label is a whole number."""
    digits = label.removeprefix("-")
    return digits.isascii() and digits.isdigit()


def split_of(text: str, where: str) -> str:
    """`train`, `val` or `test` for what a person calls it.

    Raises:
        UserError: It is none of them.
    """
    split = SPLIT_NAMES.get(text.strip().casefold())
    if split is None:
        raise UserError(f"{where}: the split {text!r} is unknown; allowed: {', '.join(SPLIT_NAMES)}")
    return split
