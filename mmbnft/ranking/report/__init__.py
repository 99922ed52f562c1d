"""The report of a study: tables as CSV, a page for people, and everything once more as JSON."""

import math
from pathlib import Path
from typing import Any

import pandas as pd

from mmbnft.ranking import comparisons, correlations, selection, standings
from mmbnft.ranking.report.figures import pictures
from mmbnft.ranking.report.markdown import markdown
from mmbnft.ranking.report.page import page
from mmbnft.ranking.study import Study
from mmbnft.utils import files


def write_report(study: Study, folder: Path) -> None:
    """Write all outputs of `study` into `folder`, each atomically."""
    tables = {
        "correlations.csv": study.correlations[list(correlations.COLUMNS)],
        "comparisons.csv": study.comparisons[list(comparisons.COLUMNS)],
        "selection.csv": study.selection[list(selection.COLUMNS)],
        "ranking.csv": study.standings[list(standings.COLUMNS)],
    }
    for name, table in tables.items():
        files.write_text(folder / name, table.to_csv(index=False, lineterminator="\n"))
    files.write_json(folder / "report.json", content(study))
    drawn = pictures(study)
    for picture in drawn.values():
        files.write_text(folder / f"{picture.name}.svg", picture.svg())
        with files.atomic_file(folder / f"{picture.name}.png") as stream:
            stream.write(picture.png)
    files.write_text(folder / "report.md", markdown(study, drawn))
    files.write_text(folder / "report.html", page(study, drawn))


def content(study: Study) -> dict[str, Any]:
    """Everything of `study` as plain JSON values; what does not exist is null."""
    tables = {
        "correlations": study.correlations,
        "comparisons": study.comparisons,
        "selection": study.selection,
        "ranking": study.standings,
        "costs": study.costs,
    }
    return {
        "target": study.scores.target,
        "proxies": list(study.scores.proxies),
        "controls": list(study.controls),
        "checkpoints": list(study.scores.checkpoints),
        "tasks": [task.name for task in study.scores.tasks],
        "verdicts": dict(study.verdicts),
        "advice": study.advice,
        "findings": [{"code": f.code, "title": f.title, "sentence": f.sentence} for f in study.findings],
        "seed": study.seed,
        "resamples": study.resamples,
        "critical_differences": _plain(study.critical_differences),
        "provenance": _plain(study.provenance),
        **{name: _plain(_records(table)) for name, table in tables.items()},
    }


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [dict(zip(table.columns, row, strict=True)) for row in table.astype(object).itertuples(index=False)]


def _plain(value: Any) -> Any:
    """NumPy scalars to Python's, and whatever is no finite number or known type to null or text."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(item) for item in value]
    if value is pd.NA or value is None:
        return None
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, (str, int, bool)) else str(value)
