"""How well repeated runs agree on the checkpoints, and the ceiling this sets for any correlation.

Reliability is the intraclass correlation of repeats: the share of the variance of values that lies between checkpoints
and not between runs of one checkpoint. A correlation of two noisy columns cannot be expected to exceed the square root
of the product of their reliabilities (Spearman 1904), whatever the proxy is worth.
"""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from mmbnft.ranking.correlations import MEAN
from mmbnft.ranking.statistics import ROUNDING, Array
from mmbnft.ranking.table import FEWEST_CHECKPOINTS, ScoreTable, TaskScores

COLUMNS = (
    *("task", "protocol", "n", "repeats", "one_run", "one_run_low", "one_run_high"),
    *("mean", "mean_low", "mean_high", "ceiling_pearson", "ceiling_kendall"),
)


class Reliability(NamedTuple):
    """Intraclass correlations, each with its 95 % interval; NaN where they do not exist.

    Attributes:
        one_run: Of a single run.
        one_run_low: Lower end.
        one_run_high: Upper end.
        mean: Of the mean over the repeats.
        mean_low: Lower end.
        mean_high: Upper end.
    """

    one_run: float
    one_run_low: float
    one_run_high: float
    mean: float
    mean_low: float
    mean_high: float


UNKNOWN = Reliability(*[math.nan] * 6)


def intraclass_correlation(values: Array, paired: bool, level: float = 0.95) -> Reliability:
    """Reliability of repeats by analysis of variance (Shrout and Fleiss 1979; McGraw and Wong 1996).

    Args:
        values: (n, k) repeats of n checkpoints, k the largest number of repeats; NaN where one has fewer.
        paired: Whether column j is the same split and seed for every checkpoint. What a column shares then moves no
            rank and is taken off: ICC(C,1) and ICC(C,k). Else ICC(1,1) and ICC(1,k).
        level: Coverage of the intervals.

    Returns:
        The estimates as they come, also below 0 where repeats of one checkpoint differ more than checkpoints do.
    """
    counts = np.isfinite(values).sum(axis=1)
    values, counts = values[counts > 0], counts[counts > 0]
    n, total = len(values), int(counts.sum())
    if n < FEWEST_CHECKPOINTS or total - n < 1:
        return UNKNOWN
    paired = paired and bool((counts == values.shape[1]).all())
    centred = values - np.nanmean(values, axis=0) if paired else values
    means = np.nanmean(centred, axis=1)
    free = (n - 1) * (values.shape[1] - 1) if paired else total - n
    between = float(counts @ (means - counts @ means / total) ** 2) / (n - 1)
    within = float(np.nansum((centred - means[:, None]) ** 2)) / free
    size = float(np.nanmax(np.abs(values))) or 1.0
    if between <= (ROUNDING * size) ** 2:
        return UNKNOWN
    if within <= (ROUNDING * size) ** 2:
        return Reliability(1.0, math.nan, math.nan, 1.0, math.nan, math.nan)
    # The number of repeats; with unequal numbers the one that keeps the estimate of the variance unbiased.
    k = (total - float(counts @ counts) / total) / (n - 1)
    ratio = between / within
    tail = (1 - level) / 2
    low, high = (ratio / float(stats.f.ppf(share, n - 1, free)) for share in (1 - tail, tail))
    one_run = [(f - 1) / (f + k - 1) for f in (ratio, low, high)]
    return Reliability(*one_run, *(1 - 1 / f for f in (ratio, low, high)))


def ceiling(proxy: float, target: float) -> tuple[float, float]:
    """The highest correlation to be expected of columns with these reliabilities, were their true values in line.

    Args:
        proxy: Reliability of the proxy's values; below 0 counts as 0.
        target: Reliability of the target's values.

    Returns:
        Pearson's r (Spearman, American Journal of Psychology 15, 1904), and Kendall's tau of the bivariate normal
        distribution with that r, 2 / pi * arcsin(r) (Greiner's relation).
    """
    if math.isnan(proxy) or math.isnan(target):
        return math.nan, math.nan
    r = math.sqrt(max(proxy, 0.0) * max(target, 0.0))
    return r, 2 / math.pi * math.asin(r)


def reliability_table(table: ScoreTable) -> pd.DataFrame:
    """One row per (task, protocol) with repeats, columns `COLUMNS`, then the means over the tasks.

    A reliability is a share of variance, so an estimate below 0 is given as 0.

    The ceiling in a row of the target is that of a proxy without noise; the one in a row of a proxy counts the noise of
    both. It needs repeats of the target.
    """
    rows: list[tuple[object, ...]] = []
    for task in table.tasks:
        found = {protocol: _of_task(task, protocol) for protocol in table.protocols if protocol in task.repeats}
        of_target = found.get(table.target, UNKNOWN).mean
        for protocol, known in found.items():
            if not math.isnan(known.mean):
                top = ceiling(1.0 if protocol == table.target else known.mean, of_target)
                counts = np.isfinite(task.repeats[protocol]).sum(axis=1)
                n = int((counts > 0).sum())
                figures = np.maximum(known, 0.0).tolist()
                rows.append((task.name, protocol, n, float(counts.sum() / n), *figures, *top))
    return _with_means(pd.DataFrame(rows, columns=list(COLUMNS)), table.protocols)


def _of_task(task: TaskScores, protocol: str) -> Reliability:
    return intraclass_correlation(task.repeats[protocol], protocol in task.aligned)


def _with_means(rows: pd.DataFrame, protocols: tuple[str, ...]) -> pd.DataFrame:
    """Add the mean over tasks of each protocol, without intervals."""
    means = []
    for protocol in protocols:
        mine = rows[rows["protocol"] == protocol]
        if len(mine):
            figures = [
                mine[name].mean() for name in ("repeats", "one_run", "mean", "ceiling_pearson", "ceiling_kendall")
            ]
            repeats, one_run, mean, *top = figures
            gap = (math.nan, math.nan)
            means.append((MEAN, protocol, int(mine["n"].sum()), repeats, one_run, *gap, mean, *gap, *top))
    return pd.concat([rows, pd.DataFrame(means, columns=list(COLUMNS))], ignore_index=True) if means else rows
