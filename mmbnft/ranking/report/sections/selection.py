"""What picking by a proxy costs."""

from mmbnft.ranking import selection
from mmbnft.ranking.report.section import Section, Shown, interval, number, of_task, percent, text, whole
from mmbnft.ranking.study import Study


def _shown(study: Study, task: str) -> Shown:
    rows = of_task(study.selection, task)
    rows = rows[rows["regret"].notna()].sort_values(["k", "regret"], kind="stable")
    table = [
        [
            whole(row.k),
            text(row.proxy),
            interval(row.regret, row.regret_ci_low, row.regret_ci_high, 1),
            percent(row.recall),
            number(row.rel, 3),
            whole(row.n),
        ]
        for row in rows.itertuples()
    ]
    return Shown(["k", "proxy", "regret, points", "best found", "rel", "n"], table)


SECTION = Section(
    order=60,
    name="selection",
    title="Regret of picking by a proxy",
    columns=selection.COLUMNS,
    table=lambda study: study.selection,
    shown=_shown,
    sentence=lambda study: study.answer.regret,
)
