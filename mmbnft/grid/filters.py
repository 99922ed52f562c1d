"""Parts of a plan or of a store: by coordinates, or by an even share for each of several machines."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from mmbnft.utils.errors import UserError, choices, meant

if TYPE_CHECKING:
    from mmbnft.grid.job import Job, Located

COORDINATES = ("checkpoint", "task", "protocol")
# A comma between values, not one within the parentheses of `random ResNet-18 (base_channels=16, stem_channels=16)`.
_COMMA = re.compile(r",(?![^(]*\))")


Item = TypeVar("Item", bound="Located")
Planned = TypeVar("Planned", bound="Job")


@dataclass(frozen=True)
class Selection:
    """Allowed values by coordinate; a coordinate that is not named allows all.

    Attributes:
        allowed: For example `{"task": ("dtd", "pets")}`.
    """

    allowed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def parse(cls, texts: Sequence[str], names: Sequence[str] = COORDINATES) -> "Selection":
        """Read `NAME=VALUE,VALUE` as the command line has it.

        Args:
            texts: One for each coordinate.
            names: Coordinates that may be named.

        Raises:
            UserError: A text is something else, or names a coordinate twice.
        """
        allowed: dict[str, tuple[str, ...]] = {}
        for text in texts:
            name, _, values = text.partition("=")
            parts = tuple(part for part in _COMMA.split(values) if part)
            if name not in names or not parts or name in allowed:
                raise UserError(f"a selection is NAME=VALUE[,VALUE...] with NAME one of {choices(names)}, got {text!r}")
            allowed[name] = parts
        return cls(allowed)

    def of(self, items: Sequence[Item]) -> list[Item]:
        """The items with allowed values.

        Raises:
            UserError: A value belongs to none of the items.
        """
        for name, values in self.allowed.items():
            known = {str(getattr(item, name)) for item in items}
            if unknown := set(values) - known:
                raise UserError(
                    f"there is no {name} {choices(unknown)}; there are: {choices(known) or 'none'}"
                    f"{meant(unknown, known)}"
                )
        return [
            item for item in items if all(str(getattr(item, name)) in values for name, values in self.allowed.items())
        ]


@dataclass(frozen=True)
class Shard:
    """One of `count` shares of a plan that differ by one run at most, the same on every machine.

    Attributes:
        index: From 1.
        count: How many shares there are.

    Raises:
        UserError: There is no such share.
    """

    index: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        """Refuse a share that does not exist."""
        if not 1 <= self.index <= self.count:
            raise UserError(f"a shard is I/N with I from 1 to N, got {self.index}/{self.count}")

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Read `I/N`.

        Raises:
            UserError: It is something else.
        """
        index, _, count = text.partition("/")
        if not (index.isascii() and index.isdigit() and count.isascii() and count.isdigit()):
            raise UserError(f"a shard is I/N with I from 1 to N, got {text!r}")
        return cls(int(index), int(count))

    def of(self, runs: Sequence[Planned]) -> list[Planned]:
        """This share of the runs, in their order; who gets which depends on the keys alone."""
        mine = {run.key for run in sorted(runs, key=lambda run: run.key)[self.index - 1 :: self.count]}
        return [run for run in runs if run.key in mine]


@dataclass(frozen=True)
class Part:
    """Which runs of a plan are meant.

    Attributes:
        only: By coordinates.
        shard: By share, of what the coordinates leave.
    """

    only: Selection = field(default_factory=Selection)
    shard: Shard = field(default_factory=Shard)
