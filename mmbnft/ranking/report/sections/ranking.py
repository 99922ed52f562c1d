"""The checkpoints under every protocol, per task and over tasks."""

import math
from collections.abc import Sequence

import pandas as pd

from mmbnft.ranking import standings
from mmbnft.ranking.report.section import (
    EMPTY,
    Cell,
    Section,
    Shown,
    number,
    of_task,
    percent,
    text,
    whole,
    without_empty,
)
from mmbnft.ranking.study import Study


def _shown(study: Study, task: str) -> Shown:
    rows = of_task(study.standings, task)
    protocols = [p for p in study.scores.protocols if p in set(rows["proxy"])]
    if rows.empty or not protocols:
        return Shown([], [])
    by_cell = rows.set_index(["checkpoint", "proxy"])
    ranks = {name: by_cell["rank"].get((name, protocols[0]), math.nan) for name in dict.fromkeys(rows["checkpoint"])}
    names = sorted(ranks, key=lambda name: (math.isnan(ranks[name]), ranks[name]))
    overall = task not in {known.name for known in study.scores.tasks}
    value = ": mean rank" if overall else ""
    head = ["checkpoint", *(f"{p}{part}" for p in protocols for part in (value, ": rank", ": P(best)", ": tier"))]
    table = [[text(name), *_cells(by_cell, name, protocols)] for name in names]
    return without_empty(Shown(head, table))


def _cells(by_cell: pd.DataFrame, name: str, protocols: Sequence[str]) -> list[Cell]:
    cells: list[Cell] = []
    for protocol in protocols:
        row = by_cell.loc[(name, protocol)] if (name, protocol) in by_cell.index else None
        if row is None or math.isnan(row["value"]):
            cells += [Cell("not run", ""), EMPTY, EMPTY, EMPTY]
            continue
        value = number(row["value"])
        spread = "" if math.isnan(row["spread"]) else f" \u00b1 {row['spread']:.2g}"
        places = "" if math.isnan(row["rank_low"]) else f" [{row['rank_low']:g}, {row['rank_high']:g}]"
        rank = Cell(f"{row['rank']:g}{places}", row["rank"])
        cells += [value._replace(text=value.text + spread), rank, percent(row["p_best"]), whole(row["tier"])]
    return cells


def _sentence(study: Study) -> str:
    sentences = [
        f"{protocol}: Friedman p {found['friedman_p']:.3g}, critical difference {found['critical_difference']:.2f} "
        f"ranks over {found['tasks']} tasks"
        for protocol, found in study.critical_differences.items()
    ]
    return "; ".join(sentences) + ("." if sentences else "")


SECTION = Section(
    order=70,
    name="ranking",
    title="Ranking",
    columns=standings.COLUMNS,
    table=lambda study: study.standings,
    shown=_shown,
    sentence=_sentence,
)
