"""What a section of the report is: a name, columns, a computation and a sentence; all renderings are made of these."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pandas as pd

from mmbnft.ranking.correlations import MEAN
from mmbnft.ranking.study import Study

# A chart as plain values that the page's script draws; see `mmbnft.ranking.report.charts`.
Chart = Mapping[str, Any]


class Cell(NamedTuple):
    """A cell of a table.

    Attributes:
        text: What it shows.
        key: What it sorts by; "" if there is nothing.
        note: What it says on hover, "" if nothing.
        span: Lower and upper end where the cell is drawn as a dot with its interval; NaN for none.
    """

    text: str
    key: object
    note: str = ""
    span: tuple[float, float] | None = None


EMPTY = Cell("", "")


@dataclass(frozen=True)
class Shown:
    """A table as people see it.

    Attributes:
        head: Titles of the columns.
        rows: Cells of each row.
        bands: A group for each row, such as its tier; rows of one group are drawn as a band.
        heat: Whether numbers from -1 to 1 are shown as colours too.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    bands: Sequence[object] = ()
    heat: bool = False

    @property
    def axes(self) -> dict[int, tuple[float, float]]:
        """Per column with intervals the range that they span."""
        found = {}
        for i in range(len(self.head)):
            ends = [
                end
                for row in self.rows
                if row[i].span is not None and row[i].key != ""
                for end in (float(str(row[i].key)), *(row[i].span or ()))
                if math.isfinite(end)
            ]
            if ends:
                found[i] = min(ends), max(ends)
        return found


def no_chart(_: Study) -> list[Chart]:
    """The charts of a section that has none."""
    return []


@dataclass(frozen=True)
class Section:
    """One part of a report.

    Attributes:
        order: Place in the report.
        name: Stem of its CSV file and key in the JSON file.
        title: Heading.
        columns: Columns of the CSV file.
        table: Computes every row, for CSV and JSON; JSON keeps further columns too.
        shown: The rows of one value of the column `task` as people see them; "" stands for a table without that column.
        sentence: What the table says in words; "" if nothing.
        overall: Values of `task` that stand before those of the single tasks; ("",) for a table without that column.
        pictures: Figures that belong to it, for Markdown.
        folded: Whether the page shows its tables closed.
        charts: What the page draws before the tables.
        matrix: A table with one row per task and one column per proxy; None without.
    """

    order: int
    name: str
    title: str
    columns: tuple[str, ...]
    table: Callable[[Study], pd.DataFrame]
    shown: Callable[[Study, str], Shown]
    sentence: Callable[[Study], str]
    overall: tuple[str, ...] = (MEAN,)
    pictures: tuple[str, ...] = ()
    folded: bool = False
    charts: Callable[[Study], list[Chart]] = field(default=no_chart)
    matrix: Callable[[Study], Shown] | None = None

    @property
    def has_tasks(self) -> bool:
        """Whether it has rows for single tasks."""
        return self.overall != ("",)

    def parts(self, study: Study) -> list[tuple[str, Shown]]:
        """Heading and table of what is shown before the single tasks; only tables with a row."""
        # The mean over a single task says what the task says.
        names = () if self.has_tasks and len(study.scores.tasks) == 1 else self.overall
        found = [(name, self.shown(study, name)) for name in names]
        shown = [(name if len(names) > 1 else "", table) for name, table in found if table.rows]
        if self.matrix is not None and len(study.scores.tasks) > 1 and (table := self.matrix(study)).rows:
            shown.insert(0, ("per task", table))
        return shown


def nothing(_: Study) -> str:
    """The sentence of a section whose table speaks for itself."""
    return ""


def text(value: object, note: str = "") -> Cell:
    """A cell of words."""
    shown = "" if value is None or value is pd.NA else str(value)
    return Cell(shown, shown, note)


def whole(value: object) -> Cell:
    """A cell with a whole number, empty if there is none."""
    return EMPTY if pd.isna(value) else Cell(f"{value:g}", value)


def number(value: float, digits: int = 2) -> Cell:
    """A cell with a number of fixed decimals, empty if there is none."""
    return EMPTY if math.isnan(value) else Cell(rounded(value, digits), value)


def p_value(value: float) -> Cell:
    """A cell with a p-value."""
    return EMPTY if math.isnan(value) else Cell("< 0.001" if value < 0.001 else f"{value:.3f}", value)


def percent(share: float) -> Cell:
    """A cell with a share as a percentage."""
    return EMPTY if math.isnan(share) else Cell(f"{100 * share:.0f} %", share)


def interval(value: float, low: float, high: float, digits: int = 2, drawn: bool = False) -> Cell:
    """A cell with a figure and its interval, which may be missing.

    Args:
        value: The figure.
        low: Lower end; NaN if there is none.
        high: Upper end.
        digits: Decimals.
        drawn: Whether it is drawn as a dot too.
    """
    if math.isnan(value):
        return EMPTY
    span = (low, high) if drawn else None
    if math.isnan(low) or math.isnan(high):
        return Cell(rounded(value, digits), value, span=span)
    ends = f"[{rounded(low, digits)}, {rounded(high, digits)}]"
    return Cell(f"{rounded(value, digits)} {ends}", value, span=span)


def supported_digits(half: float) -> int:
    """Decimals that an interval of this half width supports: two of its digits, at most two decimals.

    Args:
        half: Half of the interval; NaN for none.
    """
    if not half > 0:
        return 1
    return min(2, max(0, 1 - math.floor(math.log10(half))))


def without_empty(table: Shown) -> Shown:
    """The table without columns in which no row has anything."""
    keep = [i for i in range(len(table.head)) if any(row[i].text for row in table.rows)]
    rows = [[row[i] for i in keep] for row in table.rows]
    return Shown([table.head[i] for i in keep], rows, table.bands, table.heat)


def of_task(table: pd.DataFrame, task: str) -> pd.DataFrame:
    """The rows of one value of the column `task`."""
    return table[table["task"] == task]


def rounded(value: float, digits: int) -> str:
    """The number with fixed decimals."""
    return f"{round(value, digits) + 0.0:.{digits}f}"  # + 0.0: no "-0.00"
