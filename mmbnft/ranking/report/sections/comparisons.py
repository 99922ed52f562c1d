"""Proxy against proxy."""

from mmbnft.ranking import comparisons
from mmbnft.ranking.comparison import A_BETTER, B_BETTER
from mmbnft.ranking.cost_trust import TRUST
from mmbnft.ranking.report import charts
from mmbnft.ranking.report.section import Section, Shown, interval, nothing, of_task, p_value, text, whole
from mmbnft.ranking.study import Study


def _shown(study: Study, task: str) -> Shown:
    rows = of_task(study.comparisons, task)
    rows = rows[(rows["statistic"] == TRUST) & rows["difference"].notna()]
    words = {A_BETTER: "{a} better", B_BETTER: "{b} better"}
    table = [
        [
            text(f"{row.proxy_a} \u2212 {row.proxy_b}"),
            interval(row.difference, row.ci_low, row.ci_high),
            p_value(row.p_value),
            p_value(row.p_adjusted),
            text(words.get(row.verdict, row.verdict).format(a=row.proxy_a, b=row.proxy_b)),
            whole(row.n),
        ]
        for row in rows.itertuples()
    ]
    return Shown(["pair (Kendall's tau)", "difference", "p", "adjusted p", "verdict", "n"], table)


SECTION = Section(
    order=40,
    name="comparisons",
    title="Proxy versus proxy",
    columns=comparisons.COLUMNS,
    table=lambda study: study.comparisons,
    shown=_shown,
    sentence=nothing,
    pictures=("forest",),
    charts=charts.pairs,
)
