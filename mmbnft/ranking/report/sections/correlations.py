"""How far each proxy follows the target."""

import math

import pandas as pd

from mmbnft.ranking import correlations
from mmbnft.ranking.controls import RANDOM
from mmbnft.ranking.correlations import OVERALL
from mmbnft.ranking.report import charts
from mmbnft.ranking.report.section import (
    EMPTY,
    Cell,
    Section,
    Shown,
    interval,
    of_task,
    p_value,
    rounded,
    text,
    whole,
    without_empty,
)
from mmbnft.ranking.statistics import STATISTICS
from mmbnft.ranking.study import Study
from mmbnft.utils.wording import counted, joined

TITLES = {
    "pearson": "Pearson's r",
    "spearman": "Spearman's rho",
    "kendall": "Kendall's tau",
    "weighted_tau": "weighted tau",
}


def _shown(study: Study, task: str) -> Shown:
    rows = of_task(study.correlations, task)
    if rows["value"].isna().all():
        return Shown([], [])
    names = [name for name in STATISTICS if name in set(rows["statistic"])]
    trust = "kendall" if "kendall" in names else names[0]
    order = rows[rows["statistic"] == trust].sort_values("value", ascending=False, kind="stable")["proxy"]
    by_cell = rows.set_index(["proxy", "statistic"])
    table = []
    for proxy in order:
        mine = [by_cell.loc[(proxy, name)] for name in names]
        main = mine[names.index(trust)]
        figures = [interval(row["value"], row["ci_low"], row["ci_high"]) for row in mine]
        table.append([text(proxy), *figures, p_value(main["p_value"]), whole(main["n"]), text(main["note"])])
    return without_empty(Shown(["proxy", *(TITLES[name] for name in names), f"p ({trust})", "n", "note"], table))


def _sentence(study: Study) -> str:
    without = [task.name for task in study.scores.tasks if not len(task.complete([study.scores.target]))]
    gap = (
        f" {counted(len(without), 'task')} without {study.scores.target} ({joined(without, most=5)}) cannot be judged."
    )
    return study.answer.trust + (gap if without and study.scores.is_judged else "")


def _matrix(study: Study) -> Shown:
    """Kendall's tau per task and proxy, with interval and n on hover; tasks without the target are left out."""
    rows = study.correlations[study.correlations["statistic"] == "kendall"].set_index(["task", "proxy"])
    judged = [t.name for t in study.scores.tasks if rows.loc[t.name]["value"].notna().any()]
    names = [*study.scores.proxies, *(c for c in study.controls if c != RANDOM)]
    table = [
        [text(task), *(_tau(rows.loc[task, name]) for name in names if name in rows.loc[task].index)] for task in judged
    ]
    return without_empty(Shown(["task", *names], table, heat=True))


def _tau(row: pd.Series) -> Cell:
    if math.isnan(row["value"]):
        return EMPTY._replace(note=row["note"])
    shown = interval(row["value"], row["ci_low"], row["ci_high"])
    return Cell(rounded(row["value"], 2), row["value"], f"tau {shown.text}, n = {row['n']}")


SECTION = Section(
    order=20,
    name="correlations",
    title="How far proxies can be trusted",
    columns=correlations.COLUMNS,
    table=lambda study: study.correlations,
    shown=_shown,
    sentence=_sentence,
    overall=OVERALL,
    pictures=("heat_map",),
    charts=charts.trust,
    matrix=_matrix,
)
