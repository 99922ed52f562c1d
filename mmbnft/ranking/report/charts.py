"""Charts of the page as plain values: what stands where. The page's script draws them to the width of the screen."""

import math
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mmbnft.ranking.comparison import NOT_SEPARABLE
from mmbnft.ranking.controls import CONTROL, RANDOM
from mmbnft.ranking.correlations import MEAN
from mmbnft.ranking.cost_trust import TRUST
from mmbnft.ranking.report.marks import mark
from mmbnft.ranking.report.section import Chart, of_task, p_value
from mmbnft.ranking.study import Study
from mmbnft.ranking.table import TaskScores
from mmbnft.utils.wording import counted

# Rows of the small picture on the first screen.
_MOST_ROWS = 8


def overall(study: Study) -> str:
    """The value of the column `task` that stands for everything: the mean, or the only task."""
    return MEAN if len(study.scores.tasks) > 1 else study.scores.tasks[0].name


def trust(study: Study) -> list[Chart]:
    """Kendall's tau of each proxy and of the controls; without a target, that of past tables."""
    if not study.scores.is_judged:
        return _remembered(study)
    rows = of_task(study.correlations[study.correlations["statistic"] == TRUST], overall(study))
    rows = rows[rows["value"].notna() & (rows["proxy"] != RANDOM)].sort_values("value", ascending=False, kind="stable")
    if rows.empty:
        return []
    is_control = rows["proxy"].str.startswith(CONTROL)
    rows = pd.concat([rows[~is_control].head(_MOST_ROWS), rows[is_control].head(2)])
    entries = [
        _entry(row.proxy, row.value, row.ci_low, row.ci_high, mark(row.proxy, study.scores.proxies), f"n = {row.n}")
        for row in rows.itertuples()
    ]
    ends = _sides("reverse order", "same order as the target")
    return [{"kind": "forest", "name": "Kendall's tau with the target", "rows": entries, "range": [-1, 1], **ends}]


def _remembered(study: Study) -> list[Chart]:
    rows = study.past.sort_values("tau", ascending=False, kind="stable").head(_MOST_ROWS)
    entries = [
        _entry(
            row.proxy if list(rows["proxy"]).count(row.proxy) == 1 else f"{row.proxy} ({_short(row.table)})",
            row.tau,
            row.low,
            row.high,
            mark(row.proxy, study.scores.proxies),
            f"{row.table}, {counted(row.tasks, 'task')}",
        )
        for row in rows.itertuples()
    ]
    name = f"Kendall's tau with {study.scores.target} in past tables; lines: range over tasks"
    ends = _sides("reverse order", "same order as the target")
    return [{"kind": "forest", "name": name, "rows": entries, "range": [-1, 1], **ends}] if entries else []


def _short(table: str) -> str:
    """The name of a past table, short enough for the row of a picture."""
    return Path(table).name.partition("_")[0][:16]


def pairs(study: Study) -> list[Chart]:
    """Differences of tau between proxies."""
    rows = of_task(study.comparisons, overall(study))
    rows = rows[(rows["statistic"] == TRUST) & (rows["family"] == "proxies") & rows["difference"].notna()]
    entries = [
        _entry(
            f"{row.proxy_a} \u2212 {row.proxy_b}",
            row.difference,
            row.ci_low,
            row.ci_high,
            0 if row.verdict == NOT_SEPARABLE else 1,
            f"adjusted p {p_value(row.p_adjusted).text}: {row.verdict}",
        )
        for row in rows.itertuples()
    ]
    ends = _sides("second better", "first better")
    return [{"kind": "forest", "name": "difference in Kendall's tau", "rows": entries, **ends}] if entries else []


def costs(study: Study) -> list[Chart]:
    """Seconds of a run against tau."""
    rows = study.costs[study.costs["cost_seconds"].notna() & study.costs["kendall"].notna()]
    if rows.empty:
        return []
    style = partial(mark, among=study.scores.proxies)
    points = [
        [row.proxy, *_plain((row.cost_seconds, row.kendall, None, [row.ci_low, row.ci_high])), style(row.proxy)]
        for row in rows.itertuples()
    ]
    front = rows[rows["pareto"]].sort_values("cost_seconds")
    steps = front[["cost_seconds", "kendall"]].to_numpy().tolist()
    log = bool(rows["cost_seconds"].min() > 0)
    return [
        {
            "kind": "scatter", "name": "Cost versus trust", "x": "seconds of one run", "y": "Kendall's tau",
            "points": points, "log": log, "steps": _plain(steps), "wide": True,
        }
    ]  # fmt: skip


def scatters(study: Study, task: TaskScores) -> list[Chart]:
    """Each proxy against the target on one task, the target on one axis for all."""
    target = study.scores.target
    taus = of_task(study.correlations[study.correlations["statistic"] == TRUST], task.name).set_index("proxy")
    found: list[Chart] = []
    style = partial(mark, among=study.scores.proxies)
    y, high = task.means(target), task.half_widths(target)
    for proxy in study.scores.proxies:
        rows = task.complete([proxy, target])
        if len(rows) < 2:
            continue
        x, wide = task.means(proxy), task.half_widths(proxy)
        points = [
            [task.checkpoints[i], *_plain((x[i], y[i], _around(x[i], wide[i]), _around(y[i], high[i]))), style(proxy)]
            for i in rows
        ]
        tau = taus.loc[proxy]
        name = f"{proxy}: tau {tau['value']:.2f}, n = {tau['n']}" if math.isfinite(tau["value"]) else proxy
        unit = " (%)" if proxy in study.scores.bounded else ""
        found.append({"kind": "scatter", "name": name, "x": f"{proxy}{unit}", "y": f"{target} (%)", "points": points})
    ends = [float(v) for chart in found for point in chart["points"] for v in (point[2], *(point[4] or ()))]
    return [{**chart, "yrange": [min(ends), max(ends)]} for chart in found]


def _entry(name: str, value: float, low: float, high: float, style: int, note: str) -> list[Any]:
    return [name, *_plain((value, low, high)), style, note]


def _sides(left: str, right: str) -> dict[str, str]:
    return {"left": left, "right": right}


def _around(value: float, half: float) -> list[float] | None:
    return [value - half, value + half] if math.isfinite(half) else None


def _plain(values: Iterable[Any]) -> list[Any]:
    """Numbers with the digits that a picture can show; what is no finite number is null."""
    found: list[Any] = []
    for value in values:
        if isinstance(value, list | np.ndarray):
            inner = _plain(value)
            found.append(None if None in inner else inner)
        else:
            found.append(None if value is None or not math.isfinite(value) else float(f"{value:.5g}"))
    return found
