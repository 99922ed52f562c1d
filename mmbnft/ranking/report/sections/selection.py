"""What picking by a proxy costs."""

from mmbnft.ranking import selection
from mmbnft.ranking.correlations import MEAN
from mmbnft.ranking.report.section import Section, Shown, interval, number, of_task, percent, text, whole
from mmbnft.ranking.study import Study


def _shown(study: Study, task: str) -> Shown:
    rows = of_task(study.selection, task)
    rows = rows[rows["regret"].notna()].sort_values(["k", "regret"], kind="stable")
    table = [
        [
            whole(row.k),
            text(row.proxy),
            interval(row.regret, row.regret_ci_low, row.regret_ci_high),
            percent(row.recall),
            number(row.rel, 4),
            whole(row.n),
        ]
        for row in rows.itertuples()
    ]
    return Shown(["k", "proxy", "regret, points", "best found", "rel", "n"], table)


def _sentence(study: Study) -> str:
    where = study.scores.tasks[0].name if len(study.scores.tasks) == 1 else MEAN
    rows = of_task(study.selection, where)
    rows = rows[(rows["k"] == 1) & rows["regret"].notna() & rows["proxy"].isin(study.scores.proxies)]
    if rows.empty:
        return ""
    row = rows.loc[rows["regret"].idxmin()]
    cost = interval(row["regret"], row["regret_ci_low"], row["regret_ci_high"])[0]
    target = study.scores.target
    return f"Taking the first checkpoint by {row['proxy']} costs {cost} points of {target} against the best one."


SECTION = Section(
    order=40,
    name="selection",
    title="Picking by a proxy",
    columns=selection.COLUMNS,
    table=lambda study: study.selection,
    shown=_shown,
    sentence=_sentence,
)
