"""Which checkpoints can be told apart: rank intervals, chances of being the best, and tiers."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from mmbnft.ranking.comparison import SIGNIFICANT, holm
from mmbnft.ranking.statistics import Array, midranks


@dataclass(frozen=True)
class CriticalDifference:
    """Friedman's test over tasks and Nemenyi's critical difference of mean ranks (Demsar, JMLR 2006).

    Attributes:
        mean_ranks: (n,) mean rank of each checkpoint over the tasks, 1 is best.
        p_value: Of no difference between checkpoints.
        difference: Mean ranks closer than this cannot be told apart.
        tasks: Number of tasks.
    """

    mean_ranks: Array
    p_value: float
    difference: float
    tasks: int


def critical_difference(values: Array, level: float = 0.95) -> CriticalDifference:
    """Friedman and Nemenyi on (tasks, n) values, larger is better; needs 2 tasks and 3 checkpoints."""
    tasks, n = values.shape
    p_value = float(stats.friedmanchisquare(*values.T).pvalue) if np.ptp(values, axis=1).any() else 1.0
    q = stats.studentized_range.ppf(level, n, math.inf) / math.sqrt(2)
    difference = float(q * math.sqrt(n * (n + 1) / (6 * tasks)))
    return CriticalDifference(midranks(values).mean(axis=0), p_value, difference, tasks)


def noise(repeats: Array, aligned: bool) -> Array | None:
    """Residuals of repeats, inflated so that their spread is that of one repeat; None without a second repeat.

    Args:
        repeats: (n, m) repeats, NaN-padded.
        aligned: Whether column j is the same split and seed for every checkpoint; what a split does to all of them
            alike then does not blur their order, and is taken off (a paired comparison).

    Returns:
        Residuals pooled over the checkpoints, any number of them.
    """
    counts = np.isfinite(repeats).sum(axis=1)
    if counts.max(initial=0) < 2:
        return None
    rows = repeats[counts >= 2]
    left = rows - np.nanmean(rows, axis=1, keepdims=True)
    freedom = int((counts[counts >= 2] - 1).sum())
    if aligned and len(rows) == len(repeats) >= 2 and np.isfinite(rows).all():
        left = left - left.mean(axis=0, keepdims=True)
        freedom = (rows.shape[0] - 1) * (rows.shape[1] - 1)
    left = left[np.isfinite(left)]
    return left * math.sqrt(len(left) / freedom)


def redrawn(repeats: Array, residuals: Array, resamples: int, rng: np.random.Generator) -> Array:
    """(resamples, n) means as another set of repeats might have given them: mean plus the mean of m residuals."""
    counts = np.isfinite(repeats).sum(axis=1)
    drawn = np.stack(
        [rng.choice(residuals, (resamples, int(m))).mean(axis=1) if m else np.full(resamples, np.nan) for m in counts],
        axis=1,
    )
    return np.nanmean(np.where(counts[:, None] > 0, repeats, 0.0), axis=1) + drawn


def standings(draws: Array) -> tuple[Array, Array, Array]:
    """Rank interval (95 %) and chance of being best from (resamples, n) values; ties share the chance."""
    ranks = midranks(draws)
    best = draws == draws.max(axis=1, keepdims=True)
    low, high = np.quantile(ranks, [0.025, 0.975], axis=0)
    return np.floor(low), np.ceil(high), (best / best.sum(axis=1, keepdims=True)).mean(axis=0)


def paired_tiers(values: Array, draws: Array) -> npt.NDArray[np.intp]:
    """(n,) tiers from 1: a tier holds whatever cannot be told apart from its best member (Holm over all pairs).

    Args:
        values: (n,) values, larger is better.
        draws: (resamples, n) paired resamples of the values.
    """
    pairs = list(itertools.combinations(range(len(values)), 2))
    p_values = []
    for i, j in pairs:
        gap = draws[:, i] - draws[:, j]
        p_values.append(min(1.0, 2 * (1 + min(int((gap <= 0).sum()), int((gap >= 0).sum()))) / (1 + len(gap))))
    adjusted = dict(zip(pairs, holm(p_values), strict=True))
    return _tiers(values, lambda i, j: adjusted[min(i, j), max(i, j)] <= SIGNIFICANT)


def nemenyi_tiers(result: CriticalDifference) -> npt.NDArray[np.intp]:
    """(n,) tiers over tasks; all one tier when Friedman's test finds no difference."""
    ranks = result.mean_ranks
    if not result.p_value <= SIGNIFICANT:
        return np.ones(len(ranks), np.intp)
    return _tiers(-ranks, lambda i, j: bool(abs(ranks[i] - ranks[j]) >= result.difference))


def _tiers(values: Array, separable: Callable[[int, int], bool]) -> npt.NDArray[np.intp]:
    tiers = np.ones(len(values), np.intp)
    order = np.argsort(-values, kind="stable")
    leader, tier = order[0], 1
    for i in order:
        if i != leader and separable(int(leader), int(i)):
            leader, tier = i, tier + 1
        tiers[i] = tier
    return tiers
