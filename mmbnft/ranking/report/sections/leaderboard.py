"""Which checkpoint to take."""

import pandas as pd

from mmbnft.ranking import leaderboard
from mmbnft.ranking.report.section import Section, Shown, number, percent, text, whole, without_empty
from mmbnft.ranking.study import Study


def _table(study: Study) -> pd.DataFrame:
    return study.leaderboard.rows.assign(by=study.leaderboard.by)


def _shown(study: Study, _: str) -> Shown:
    board, target, tasks = study.leaderboard, study.scores.target, len(study.scores.tasks)
    complete = board.by == target
    rows = [
        [
            whole(row.place),
            text(row.checkpoint),
            number(row.score),
            text("" if complete else "not run" if not row.target_tasks else f"{row.target_tasks} of {tasks} tasks"),
            number(row.target_mean),
            percent(row.p_best),
            whole(row.tier),
        ]
        for row in board.rows.itertuples()
    ]
    head = ["place", "checkpoint", f"rank by {board.by}, 0 is best", f"{target} run on", f"{target}, mean"]
    return without_empty(Shown([*head, "P(best)", "tier"], rows))


SECTION = Section(
    order=10,
    name="leaderboard",
    title="Which checkpoint to take",
    columns=(*leaderboard.COLUMNS, "by"),
    table=_table,
    shown=_shown,
    sentence=lambda study: study.leaderboard.sentence,
    overall=("",),
)
