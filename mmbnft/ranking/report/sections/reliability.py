"""How far repeated runs agree, and the ceiling this sets for any correlation with the target."""

import pandas as pd

from mmbnft.ranking import reliability
from mmbnft.ranking.correlations import MEAN
from mmbnft.ranking.report.section import Section, Shown, interval, number, of_task, text, whole, without_empty
from mmbnft.ranking.study import Study


def _table(study: Study) -> pd.DataFrame:
    return reliability.reliability_table(study.scores)


def _shown(study: Study, task: str) -> Shown:
    table = [
        [
            text(row.protocol),
            interval(row.one_run, row.one_run_low, row.one_run_high),
            interval(row.mean, row.mean_low, row.mean_high),
            number(row.ceiling_pearson),
            number(row.ceiling_kendall),
            whole(round(row.repeats, 1)),
            whole(row.n),
        ]
        for row in of_task(_table(study), task).itertuples()
    ]
    head = ["protocol", "one run", "mean of runs", "ceiling of r", "ceiling of tau", "runs", "n"]
    return without_empty(Shown(head, table))


def _sentence(study: Study) -> str:
    rows = _table(study)
    rows = rows[(rows["protocol"] == study.scores.target) & (rows["task"] != MEAN)]
    if rows.empty:
        return ""
    worst = rows.loc[rows["mean"].idxmin()]
    where = "" if len(study.scores.tasks) == 1 else f" on {worst['task']}, the lowest of all tasks"
    figure = interval(worst["mean"], worst["mean_low"], worst["mean_high"]).text
    return (
        f"Over seeds, {study.scores.target} has a reliability of {figure}{where} (intraclass correlation of the mean "
        f"of {worst['repeats']:.2g} runs): even a noise-free proxy cannot be expected to exceed a tau of "
        f"{worst['ceiling_kendall']:.2f} there."
    )


SECTION = Section(
    order=25,
    name="reliability",
    title="How well repeated runs agree",
    columns=reliability.COLUMNS,
    table=_table,
    shown=_shown,
    sentence=_sentence,
    folded=True,
)
