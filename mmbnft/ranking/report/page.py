"""The page for people: one HTML file that needs nothing else."""

import html
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources

import pandas as pd

from mmbnft.ranking.correlations import MEAN, OVERALL
from mmbnft.ranking.report.figures import Picture
from mmbnft.ranking.statistics import STATISTICS
from mmbnft.ranking.study import Study

Value = tuple[str, object]  # what a cell shows, and what it sorts by
TITLES = {
    "pearson": "Pearson's r",
    "spearman": "Spearman's rho",
    "kendall": "Kendall's tau",
    "weighted_tau": "weighted tau",
}
METHODS = """
Every figure stands with its 95 % interval and n. Intervals of correlations resample the checkpoints (and the repeats of
each, where there are several), the same draws for every proxy: percentile intervals with tails moved out for small n
(Pearson), BCa (Spearman), percentile (tau, weighted tau). A resample in which a side is constant is left out; with more
than 5 % of those, or with fewer than three checkpoints, there is no interval. Figures over tasks also resample the
tasks. The interval of the random control is the band that holds 95 % of random orders. Two proxies are compared on the
same checkpoints: Williams' t and Zou's interval for Pearson's r, exchanging the two results of each checkpoint for rank
statistics (and for means over tasks), Holm's adjustment over the pairs of a task. A proxy is called better only if the
adjusted p is at most 0.05 and the interval leaves out 0. Regret is the target's best value minus the best value among
the proxy's top k, in points. Ranks of one task vary with another set of repeats, so with one run per cell there is no
rank interval and no tier; over tasks the tiers are those of Nemenyi's test.
"""


def page(study: Study, pictures: Mapping[str, Picture]) -> str:
    """The whole HTML text."""
    title = f"Which proxy predicts {study.scores.target}?"
    body = "".join(
        (
            _summary(study, title),
            _overview(study, pictures),
            _overall(study),
            _tasks(study, pictures),
            _provenance(study),
        )
    )
    style, script = (resources.files(__package__).joinpath(name).read_text("utf-8") for name in ("page.css", "page.js"))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        # Without this a browser asks the server for an icon.
        '<link rel="icon" href="data:,">'
        f"<title>{_text(title)}</title><style>{style}</style></head>\n<body>\n{body}"
        f'<div id="tip" role="tooltip" hidden></div>\n<script>{script}</script></body></html>\n'
    )


def _summary(study: Study, title: str) -> str:
    scores = study.scores
    head = study.verdicts.get(MEAN) or next(iter(study.verdicts.values()), "Nothing can be said.")
    if len(scores.tasks) == 1:
        head = study.verdicts.get(scores.tasks[0].name, head)
    per_task = "".join(
        f"<dt>{_text(task)}</dt><dd>{_text(sentence)}</dd>" for task, sentence in study.verdicts.items() if task != MEAN
    )
    warnings = "".join(f"<li>{_text(sentence)}</li>" for sentence in study.findings)
    return (
        f'<h1>{_text(title)}</h1><p class="quiet">{len(scores.checkpoints)} checkpoints, {len(scores.tasks)} tasks, '
        f"{len(scores.proxies)} proxies; {study.resamples:,} resamples, seed {study.seed}</p>"
        f'<p class="lead">{_text(head)}</p>'
        + (f"<p>{_text(study.advice)}</p>" if study.advice else "")
        + (f'<h2>Warnings</h2><ul class="warnings">{warnings}</ul>' if warnings else "")
        + f'<h2>Verdict per task</h2><dl class="verdicts">{per_task}</dl>\n'
    )


def _overview(study: Study, pictures: Mapping[str, Picture]) -> str:
    parts = [f"<h2>Trust per task</h2>{_drawing(pictures['heat_map'])}"]
    if "forest" in pictures:
        parts.append(f"<h2>Proxy against proxy</h2>{_drawing(pictures['forest'])}")
    if "cost" in pictures:
        parts.append(f"<h2>Cost against trust</h2>{_drawing(pictures['cost'])}{_cost_table(study)}")
    return "".join(parts) + "\n"


def _overall(study: Study) -> str:
    parts = ["<h2>Over all tasks</h2>"]
    for task in OVERALL:
        table = _correlations(study, task)
        parts.append(f"<h3>{_text(task)}</h3>{table}" if table else "")
    parts.append(f"<h3>Picking by a proxy, mean over tasks</h3>{_selection(study, MEAN)}")
    standing = _ranking(study, MEAN)
    if standing:
        parts.append(f'<h3>Checkpoints by mean rank</h3><p class="quiet">{_text(_friedman(study))}</p>{standing}')
    return "".join(parts) + "\n"


def _tasks(study: Study, pictures: Mapping[str, Picture]) -> str:
    parts = ["<h2>Tasks</h2>"]
    for number, task in enumerate(study.scores.tasks):
        opened = " open" if number == 0 else ""
        parts.append(
            f"<details{opened}><summary>{_text(task.name)}</summary><p>{_text(study.verdicts.get(task.name, ''))}</p>"
            f"{_drawing(pictures[f'scatter_{number + 1:02d}'])}"
            f"<h3>Ranking</h3>{_ranking(study, task.name)}<h3>Correlation with {_text(study.scores.target)}</h3>"
            f"{_correlations(study, task.name)}<h3>Picking by a proxy</h3>{_selection(study, task.name)}"
            f"<h3>Proxy against proxy</h3>{_comparisons(study, task.name)}</details>\n"
        )
    return "".join(parts)


def _provenance(study: Study) -> str:
    known = json.dumps(study.provenance, indent=1, sort_keys=True, default=str) if study.provenance else ""
    shown = f"<pre>{_text(known)}</pre>" if known else "<p>The table came without any.</p>"
    return (
        f"<h2>How to read this</h2><p>{_text(' '.join(METHODS.split()))}</p>"
        f"<h2>Provenance</h2><details><summary>Checkpoints, lists, recipes, versions</summary>{shown}</details>\n"
    )


def _friedman(study: Study) -> str:
    sentences = [
        f"{protocol}: Friedman p {found['friedman_p']:.3g}, critical difference {found['critical_difference']:.2f} "
        f"over {found['tasks']} tasks"
        for protocol, found in study.critical_differences.items()
    ]
    return "; ".join(sentences) + "."


def _ranking(study: Study, task: str) -> str:
    rows = study.standings[study.standings["task"] == task]
    protocols = [p for p in (study.scores.target, *study.scores.proxies) if p in set(rows["proxy"])]
    if rows.empty:
        return ""
    by_cell = rows.set_index(["checkpoint", "proxy"])
    names = list(dict.fromkeys(rows["checkpoint"]))
    first = {name: by_cell["rank"].get((name, protocols[0]), math.nan) for name in names}
    names.sort(key=lambda name: (math.isnan(first[name]), first[name]))
    head = ["checkpoint", *(f"{p}{part}" for p in protocols for part in ("", ": rank", ": P(best)", ": tier"))]
    keep = [True] + [any_known for p in protocols for any_known in _known(rows[rows["proxy"] == p])]
    table = []
    for name in names:
        cells: list[Value] = [(name, name)]
        for protocol in protocols:
            cells += _standing(by_cell.loc[(name, protocol)] if (name, protocol) in by_cell.index else None)
        table.append([cell for cell, wanted in zip(cells, keep, strict=True) if wanted])
    return _table([text for text, wanted in zip(head, keep, strict=True) if wanted], table)


def _known(rows: pd.DataFrame) -> tuple[bool, bool, bool, bool]:
    """Which of value, rank, chance and tier are worth a column."""
    return True, True, bool(rows["p_best"].notna().any()), bool(rows["tier"].notna().any())


def _standing(row: "pd.Series | None") -> list[Value]:
    if row is None or math.isnan(row["value"]):
        return [("gap", ""), ("", ""), ("", ""), ("", "")]
    span = "" if math.isnan(row["rank_low"]) else f" [{row['rank_low']:g}, {row['rank_high']:g}]"
    tier = "" if pd.isna(row["tier"]) else str(int(row["tier"]))
    return [_number(row["value"]), (f"{row['rank']:g}{span}", row["rank"]), _number(row["p_best"]), (tier, tier)]


def _correlations(study: Study, task: str) -> str:
    rows = study.correlations[study.correlations["task"] == task]
    if rows["value"].isna().all():
        return ""
    names = [name for name in STATISTICS if name in set(rows["statistic"])]
    p_head = ["p (tau)"] if len(names) > 1 and rows["p_value"].notna().any() else []
    by_cell = rows.set_index(["proxy", "statistic"])
    table = []
    for proxy in dict.fromkeys(rows["proxy"]):
        mine = [by_cell.loc[(proxy, name)] for name in names]
        p_values = [_number(mine[names.index("kendall")]["p_value"])] if p_head else []
        n, note = mine[0]["n"], mine[0]["note"]
        table.append(
            [
                (proxy, proxy),
                *(_interval(r["value"], r["ci_low"], r["ci_high"]) for r in mine),
                *p_values,
                (str(n), n),
                (note, note),
            ]
        )
    return _table(["ranker", *(TITLES[name] for name in names), *p_head, "n", "note"], table)


def _selection(study: Study, task: str) -> str:
    rows = study.selection[(study.selection["task"] == task) & study.selection["regret"].notna()]
    table = [
        [
            (row.proxy, row.proxy),
            (str(row.k), row.k),
            _interval(row.regret, row.regret_ci_low, row.regret_ci_high),
            _number(row.recall),
            (f"{row.rel:.4f}", row.rel),
            (str(row.n), row.n),
        ]
        for row in rows.itertuples()
    ]
    return _table(["ranker", "k", "regret, points", "recall of the best", "rel", "n"], table)


def _comparisons(study: Study, task: str) -> str:
    rows = study.comparisons[(study.comparisons["task"] == task) & (study.comparisons["statistic"] == "kendall")]
    table = [
        [
            (f"{row.proxy_a} \u2212 {row.proxy_b}", f"{row.proxy_a} {row.proxy_b}"),
            _interval(row.difference, row.ci_low, row.ci_high),
            _number(row.p_value),
            _number(row.p_adjusted),
            (
                row.verdict.replace("a better", f"{row.proxy_a} better").replace("b better", f"{row.proxy_b} better"),
                row.verdict,
            ),
            (str(row.n), row.n),
        ]
        for row in rows.itertuples()
    ]
    return _table(["pair (Kendall's tau)", "difference", "p", "adjusted p", "verdict", "n"], table)


def _cost_table(study: Study) -> str:
    table = [
        [
            (row.proxy, row.proxy),
            _number(row.cost_seconds),
            _number(row.cost_images),
            _number(row.cost_memory_bytes / 2**20),
            _interval(row.kendall, row.ci_low, row.ci_high),
            ("yes" if row.pareto else "", int(row.pareto)),
        ]
        for row in study.costs.itertuples()
    ]
    return _table(["protocol", "seconds", "images", "memory, MiB", "Kendall's tau", "Pareto front"], table)


def _drawing(picture: Picture) -> str:
    return f'<div class="wide">{picture.inline()}</div>'


def _table(head: Sequence[str], rows: Iterable[Sequence[Value]]) -> str:
    top = "".join(f'<th scope="col"><button type="button">{_text(name)}</button></th>' for name in head)
    body = "".join(
        "<tr>" + "".join(f'<td data-value="{_key(key)}">{_text(shown)}</td>' for shown, key in row) + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _number(value: float) -> Value:
    return ("", "") if math.isnan(value) else (f"{value:.4g}", value)


def _interval(value: float, low: float, high: float) -> Value:
    if math.isnan(value):
        return "gap", ""
    return (f"{value:.2f}", value) if math.isnan(low) else (f"{value:.2f} [{low:.2f}, {high:.2f}]", value)


def _key(value: object) -> str:
    return "" if isinstance(value, float) and math.isnan(value) else _text(value)


def _text(value: object) -> str:
    return html.escape(str(value))
