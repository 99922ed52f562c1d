"""The report of a study: a list of sections, rendered as CSV, JSON, Markdown and a page for people."""

from pathlib import Path

import numpy as np
import pandas as pd

from mmbnft.ranking.csv_tables import LEADERBOARD
from mmbnft.ranking.report.content import content
from mmbnft.ranking.report.markdown import markdown
from mmbnft.ranking.report.page import page
from mmbnft.ranking.report.sections import sections
from mmbnft.ranking.study import Study
from mmbnft.utils import files


def write_report(study: Study, folder: Path) -> None:
    """Write all outputs of `study` into `folder`, each atomically."""
    from mmbnft.ranking.report.figures import pictures  # loads Matplotlib, which only drawing needs

    parts = sections()
    for part in parts:
        table = part.table(study)[list(part.columns)]
        files.write_text(folder / f"{part.name}.csv", table.to_csv(index=False, lineterminator="\n"))
    files.write_text(folder / "scores.csv", _scores(study).to_csv(index=False, lineterminator="\n"))
    files.write_json(folder / "report.json", content(study, parts))
    drawn = pictures(study)
    for picture in drawn.values():
        files.write_text(folder / f"{picture.name}.svg", picture.svg())
        with files.atomic_file(folder / f"{picture.name}.png") as stream:
            stream.write(picture.png)
    files.write_text(folder / "report.md", markdown(study, parts, drawn))
    files.write_text(folder / "report.html", page(study, parts))


def _scores(study: Study) -> pd.DataFrame:
    """The values as a leaderboard's `model,dataset,metric,score`, means over repeats, for those that there are."""
    rows = [
        (name, task.name, protocol, value)
        for task in study.scores.tasks
        for protocol in study.scores.protocols
        for name, value in zip(task.checkpoints, task.means(protocol), strict=True)
        if np.isfinite(value)
    ]
    return pd.DataFrame(rows, columns=list(LEADERBOARD))
