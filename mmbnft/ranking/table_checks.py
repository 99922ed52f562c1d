"""Checks that read the values and what was concluded from them: too few of something, signs of a mistake."""

import math
import re

import numpy as np
import pandas as pd

from mmbnft.ranking.checks import Finding
from mmbnft.ranking.comparison import SIGNIFICANT
from mmbnft.ranking.controls import CONTROL, RANDOM
from mmbnft.ranking.correlations import MEAN, NAIVE, WITHIN
from mmbnft.ranking.cost_trust import TRUST
from mmbnft.ranking.reliability import reliability_table
from mmbnft.ranking.statistics import midranks
from mmbnft.ranking.table import FEWEST_CHECKPOINTS, ScoreTable

_FEW_CHECKPOINTS = 15
_FEW_TASKS = 5
# A task is saturated if at least half of its checkpoints come this near to the best, points.
_SATURATED = 0.5
# Below this reliability of its mean over seeds a target ranks its own noise.
_RELIABLE = 0.8
# The pooled figure gets a finding when it overstates the within-task one by more than this.
_MISLEADING = 0.1
_RANDOM_NAME = re.compile(r"random|scratch|from[-_ ]?scratch", re.IGNORECASE)


def table_findings(table: ScoreTable, correlations: pd.DataFrame) -> list[Finding]:
    """Every check of values and correlations.

    Args:
        table: The values.
        correlations: Every correlation, controls included.
    """
    return [
        *few_checkpoints(table),
        *_one_run(table),
        *_unreliable_target(table),
        *_saturated(table),
        *_few_tasks(table),
        *_random_weights(table),
        *_pooled(correlations),
        *_controls_ahead(correlations),
        *_lower_is_better(correlations),
    ]


def few_checkpoints(table: ScoreTable) -> list[Finding]:
    """Fires if so few checkpoints have the target that a correlation has to be large to be more than noise."""
    n = max(len(task.complete([table.target])) for task in table.tasks)
    if n > _FEW_CHECKPOINTS or n < FEWEST_CHECKPOINTS:
        return []
    # Two-sided 5 % point of tau under independence, by its normal approximation.
    noise = min(1.0, 1.96 * (2 * (2 * n + 5) / (9 * n * (n - 1))) ** 0.5)
    return [Finding("MB301", f"with {n} checkpoints, |tau| below about {noise:.2f} on one task is not significant")]


def _one_run(table: ScoreTable) -> list[Finding]:
    single = [
        name
        for name in table.protocols
        if all(task.repeats[name].shape[1] == 1 for task in table.tasks if name in task.repeats)
    ]
    known = {name for name in single if any(name in task.errors for task in table.tasks)}
    hence = "rank intervals and tiers within a task cover only the draw of test images"
    sentences = ((known, hence), (set(single) - known, "no rank intervals or tiers within a task"))
    return [
        Finding("MB302", f"{', '.join(sorted(names))}: one run per cell, so no estimate of seed variance; {then}")
        for names, then in sentences
        if names
    ]


def _unreliable_target(table: ScoreTable) -> list[Finding]:
    rows = reliability_table(table)
    rows = rows[(rows["protocol"] == table.target) & (rows["task"] != MEAN) & (rows["mean"] < _RELIABLE)]
    if rows.empty:
        return []
    named = ", ".join(f"{row.task} ({row.mean:.2f}, tau up to {row.ceiling_kendall:.2f})" for row in rows.itertuples())
    sentence = f"the mean of {table.target} over seeds has a reliability below {_RELIABLE:g} on {named}"
    return [Finding("MB309", f"{sentence}; its noise limits every correlation")]


def _saturated(table: ScoreTable) -> list[Finding]:
    names = []
    for task in table.tasks:
        values = task.means(table.target)[task.complete([table.target])]
        if len(values) >= FEWEST_CHECKPOINTS and np.mean(values >= values.max() - _SATURATED) >= 0.5:
            names.append(task.name)
    sentence = f"at least half of the checkpoints lie within {_SATURATED:g} points of the best {table.target}"
    return [Finding("MB303", f"{', '.join(names)}: {sentence}; there is little to rank")] if names else []


def _few_tasks(table: ScoreTable) -> list[Finding]:
    n = len(table.tasks)
    sentence = f"{n} tasks: intervals of means over tasks are too narrow with fewer than {_FEW_TASKS}"
    return [Finding("MB305", sentence)] if 2 <= n < _FEW_TASKS else []


def _random_weights(table: ScoreTable) -> list[Finding]:
    found = []
    for protocol in table.protocols:
        beaten = []
        for task in table.tasks:
            rows = task.complete([protocol])
            names = [task.checkpoints[i] for i in rows]
            ranks = midranks(task.means(protocol)[rows])
            random = [i for i, name in enumerate(names) if _RANDOM_NAME.match(name)]
            beaten += [(ranks > ranks[i]).sum() / max(1, len(ranks) - len(random)) for i in random]
        if beaten and np.mean(beaten) >= 0.5:
            sentence = f"under {protocol}, random weights beat {100 * np.mean(beaten):.0f} % of the other checkpoints"
            found.append(Finding("MB307", sentence))
    return found


def _pooled(table: pd.DataFrame) -> list[Finding]:
    found = []
    table = table[~table["proxy"].str.startswith(CONTROL)]
    for proxy, part in table[table["statistic"] == "pearson"].groupby("proxy", sort=False):
        by_task = part.set_index("task")["value"]
        naive, within = by_task.get(NAIVE, math.nan), by_task.get(WITHIN, math.nan)
        if naive - within > _MISLEADING:
            sentence = (
                f"{proxy}: Pearson's r is {naive:.2f} pooled over tasks but {within:.2f} within tasks (logit scale); "
                "the pooled r mostly reflects how hard the tasks are"
            )
            found.append(Finding("MB304", sentence))
    return found


def _controls_ahead(table: pd.DataFrame) -> list[Finding]:
    rows = table[(table["task"] == MEAN) & (table["statistic"] == TRUST) & table["value"].notna()]
    is_control = rows["proxy"].str.startswith(CONTROL)
    proxies, found = rows[~is_control], []
    for row in rows[is_control & (rows["proxy"] != RANDOM)].itertuples():
        behind = proxies[proxies["value"] < row.value]["proxy"].tolist()
        if behind:
            sentence = f"{row.proxy} (tau {row.value:.2f}) costs nothing and is ahead of {', '.join(behind)}"
            found.append(Finding("MB306", sentence))
    return found


def _lower_is_better(table: pd.DataFrame) -> list[Finding]:
    rows = table[(table["statistic"] == TRUST) & ~table["proxy"].str.startswith(CONTROL)]
    found = []
    for proxy, part in rows[rows["task"] != MEAN].groupby("proxy", sort=False):
        known = part[part["value"].notna()]
        over = rows[(rows["proxy"] == proxy) & (rows["task"] == MEAN)]
        significant = (known["value"] < 0) & (known["p_value"] <= SIGNIFICANT)
        if ((over["ci_high"] < 0).any() or significant.any()) and (known["value"] < 0).all():
            sentence = (
                f"{proxy} falls as the target rises (mean tau {known['value'].mean():.2f}): if lower values are "
                f"better, use --lower-is-better {proxy}"
            )
            found.append(Finding("MB207", sentence))
    return found
