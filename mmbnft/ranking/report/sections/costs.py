"""Cost against trust."""

from mmbnft.ranking import cost_trust
from mmbnft.ranking.report import charts
from mmbnft.ranking.report.section import Section, Shown, interval, number, text, without_empty
from mmbnft.ranking.study import Study


def _shown(study: Study, _: str) -> Shown:
    known = study.costs[study.costs["cost_seconds"].notna()].sort_values("cost_seconds", kind="stable")
    table = [
        [
            text(row.proxy),
            number(row.cost_seconds, 1),
            number(row.cost_shared_seconds, 1),
            number(row.cost_images, 0),
            number(row.cost_memory_bytes / 2**20, 0),
            interval(row.kendall, row.ci_low, row.ci_high),
            interval(row.lost, row.lost_low, row.lost_high),
            text("yes" if row.trusted else ""),
            text("yes" if row.pareto else ""),
        ]
        for row in known.itertuples()
    ]
    head = ["protocol", "seconds per run", "of which shared", "images", "memory, MiB", "Kendall's tau", "tau lost"]
    return without_empty(Shown([*head, "trusted", "Pareto front"], table))


SECTION = Section(
    order=50,
    name="costs",
    title="Cost versus trust",
    columns=cost_trust.COLUMNS,
    table=lambda study: study.costs,
    shown=_shown,
    sentence=lambda study: study.advice,
    overall=("",),
    pictures=("cost",),
    charts=charts.costs,
)
