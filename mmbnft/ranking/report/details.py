"""What the page shows on demand, as plain values: tables and charts of each task, and the runs of each checkpoint."""

from collections.abc import Sequence
from typing import Any

from mmbnft.ranking.report import charts
from mmbnft.ranking.report.glossary import definition
from mmbnft.ranking.report.section import Cell, Section, Shown
from mmbnft.ranking.study import Study

# Curves are left out of a page with more runs than this, to keep it small.
_MOST_CURVES = 2000


def details(study: Study, parts: Sequence[Section]) -> dict[str, Any]:
    """Everything that waits for a click.

    Args:
        study: What was found.
        parts: The sections.
    """
    tasks = []
    for task in study.scores.tasks:
        tables = [(part.title, part.shown(study, task.name)) for part in parts if part.has_tasks]
        shown = [{"title": title, **plain_table(table)} for title, table in tables if table.rows]
        tasks.append({"name": task.name, "charts": charts.scatters(study, task), "tables": shown})
    return {"tasks": tasks, "runs": _runs(study)}


def plain_table(table: Shown) -> dict[str, Any]:
    """A table as plain values: definitions of its headings, and per cell its text, and its key where that differs."""
    return {
        "head": [[title, definition(title)] for title in table.head],
        "rows": [[_cell(cell) for cell in row] for row in table.rows],
        "bands": list(table.bands),
    }


def _cell(cell: Cell) -> str | list[object]:
    if cell.key in ("", cell.text):
        return cell.text
    key = float(f"{cell.key:.6g}") if isinstance(cell.key, float) else cell.key
    return cell.text if str(key) == cell.text else [cell.text, key]


def _runs(study: Study) -> dict[str, Any]:
    curves = len(study.runs) <= _MOST_CURVES
    found: dict[str, Any] = {}
    for run in study.runs:
        mine = found.setdefault(run.checkpoint, {"certificate": "", "rows": []})
        mine["certificate"] = mine["certificate"] or run.certificate
        seconds = None if run.seconds is None else round(run.seconds, 1)
        row = [run.task, run.protocol, run.repeat, run.value, run.chosen, seconds, run.file]
        while row and row[-1] in ("", None):
            row.pop()
        mine["rows"].append([row, list(run.curve)] if curves and run.curve else [row])
    return found
