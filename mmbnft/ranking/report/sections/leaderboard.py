"""Which checkpoint to take."""

import math
from typing import Any

import pandas as pd

from mmbnft.ranking import leaderboard
from mmbnft.ranking.report.section import (
    EMPTY,
    Cell,
    Section,
    Shown,
    interval,
    number,
    percent,
    rounded,
    supported_digits,
    text,
    whole,
    without_empty,
)
from mmbnft.ranking.study import Study


def _table(study: Study) -> pd.DataFrame:
    return study.leaderboard.rows.assign(by=study.leaderboard.by)


def _shown(study: Study, _: str) -> Shown:
    board, target, tasks = study.leaderboard, study.scores.target, len(study.scores.tasks)
    complete = board.by == target
    unrun = bool((board.rows["target_tasks"] == 0).all())
    over = "" if tasks == 1 else ", mean"
    digits = supported_digits(float(((board.rows["value_high"] - board.rows["value_low"]) / 2).median()))
    has_values = bool(board.rows["value"].notna().any())
    rows = [
        [
            whole(row.place),
            text(row.checkpoint),
            interval(row.value, row.value_low, row.value_high, digits, drawn=True),
            _share(row, drawn=not has_values),
            interval(row.regret, row.regret_low, row.regret_high, 1),
            text("" if complete or unrun else "not run" if not row.target_tasks else f"{row.target_tasks} of {tasks}"),
            EMPTY if complete else number(row.target_mean, 1),
            percent(row.p_best),
            whole(row.tier),
        ]
        for row in board.rows.itertuples()
    ]
    head = ["place", "checkpoint", f"{board.by}{over}, %", "win rate", f"regret in {target}, points"]
    bands = [("" if pd.isna(tier) else int(tier)) for tier in board.rows["tier"]]
    head += [f"tasks with {target}", f"{target}{over}, %", "P(best)", "tier"]
    return without_empty(Shown(head, rows, bands))


def _share(row: Any, drawn: bool) -> Cell:
    """The win rate with its interval, in percent."""
    if math.isnan(row.win_rate):
        return EMPTY
    ends = (row.win_rate_low, row.win_rate_high)
    span = "" if math.isnan(ends[0]) else f" [{rounded(100 * ends[0], 0)}, {rounded(100 * ends[1], 0)}]"
    return Cell(f"{100 * row.win_rate:.0f} %{span}", row.win_rate, span=ends if drawn else None)


SECTION = Section(
    order=10,
    name="leaderboard",
    title="Leaderboard of checkpoints",
    columns=(*leaderboard.COLUMNS, "by"),
    table=_table,
    shown=_shown,
    sentence=lambda study: study.answer.pick,
    overall=("",),
)
