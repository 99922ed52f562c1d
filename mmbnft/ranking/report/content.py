"""Everything of a study as plain JSON values."""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from mmbnft.ranking.report.section import Section
from mmbnft.ranking.study import Study


def content(study: Study, parts: Sequence[Section]) -> dict[str, Any]:
    """The JSON of a report: coordinates, sentences, and the rows of every section; what does not exist is null.

    Args:
        study: What was found.
        parts: The sections.
    """
    return {
        "target": study.scores.target,
        "proxies": list(study.scores.proxies),
        "controls": list(study.controls),
        "checkpoints": list(study.scores.checkpoints),
        "tasks": [task.name for task in study.scores.tasks],
        "ordered_by": study.leaderboard.by,
        "sentences": {part.name: part.sentence(study) for part in parts},
        "verdicts": dict(study.verdicts),
        "margin": study.margin,
        "seed": study.seed,
        "resamples": study.resamples,
        "critical_differences": _plain(study.critical_differences),
        "provenance": _plain(study.provenance),
        **{part.name: _plain(_records(part.table(study))) for part in parts},
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
