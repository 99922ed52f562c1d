"""How far each proxy follows the target."""

from mmbnft.ranking import correlations
from mmbnft.ranking.correlations import MEAN, OVERALL
from mmbnft.ranking.report.section import Section, Shown, interval, of_task, p_value, text, whole, without_empty
from mmbnft.ranking.statistics import STATISTICS
from mmbnft.ranking.study import Study

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
    if not study.verdicts:
        return f"No proxy can be judged: fewer than three checkpoints have {study.scores.target} on any task."
    first = study.scores.tasks[0].name
    return study.verdicts.get(first if len(study.scores.tasks) == 1 else MEAN, "")


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
)
