"""What a section of the report is: a name, columns, a computation and a sentence; all renderings are made of these."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from mmbnft.ranking.correlations import MEAN
from mmbnft.ranking.study import Study

# What a cell shows, and what it sorts by.
Cell = tuple[str, object]


@dataclass(frozen=True)
class Shown:
    """A table as people see it.

    Attributes:
        head: Titles of the columns.
        rows: Cells of each row.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]


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
        pictures: Figures that belong to it.
        folded: Whether the page shows it closed.
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

    @property
    def has_tasks(self) -> bool:
        """Whether it has rows for single tasks."""
        return self.overall != ("",)

    def parts(self, study: Study) -> list[tuple[str, Shown]]:
        """Heading and table of what is shown before the single tasks; only tables with a row."""
        # The mean over a single task says what the task says.
        names = () if self.has_tasks and len(study.scores.tasks) == 1 else self.overall
        found = [(name, self.shown(study, name)) for name in names]
        return [(name if len(names) > 1 else "", table) for name, table in found if table.rows]


def nothing(_: Study) -> str:
    """The sentence of a section whose table speaks for itself."""
    return ""


def text(value: object) -> Cell:
    """A cell of words."""
    shown = "" if value is None or value is pd.NA else str(value)
    return shown, shown


def whole(value: object) -> Cell:
    """A cell with a whole number, empty if there is none."""
    return ("", "") if pd.isna(value) else (f"{value:g}", value)


def number(value: float, digits: int = 2) -> Cell:
    """A cell with a number of fixed decimals, empty if there is none."""
    return ("", "") if math.isnan(value) else (_rounded(value, digits), value)


def p_value(value: float) -> Cell:
    """A cell with a p-value."""
    return ("", "") if math.isnan(value) else ("< 0.001" if value < 0.001 else f"{value:.3f}", value)


def percent(share: float) -> Cell:
    """A cell with a share as a percentage."""
    return ("", "") if math.isnan(share) else (f"{100 * share:.0f} %", share)


def interval(value: float, low: float, high: float, digits: int = 2) -> Cell:
    """A cell with a figure and its interval, which may be missing."""
    if math.isnan(value):
        return "", ""
    if math.isnan(low) or math.isnan(high):
        return _rounded(value, digits), value
    return f"{_rounded(value, digits)} [{_rounded(low, digits)}, {_rounded(high, digits)}]", value


def without_empty(table: Shown) -> Shown:
    """The table without columns in which no row has anything."""
    keep = [i for i in range(len(table.head)) if any(row[i][0] for row in table.rows)]
    return Shown([table.head[i] for i in keep], [[row[i] for i in keep] for row in table.rows])


def of_task(table: pd.DataFrame, task: str) -> pd.DataFrame:
    """The rows of one value of the column `task`."""
    return table[table["task"] == task]


def _rounded(value: float, digits: int) -> str:
    return f"{round(value, digits) + 0.0:.{digits}f}"  # + 0.0: no "-0.00"
