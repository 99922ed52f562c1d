"""Which checkpoints can be told apart: rank intervals, chances of being the best, and tiers."""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from mmbnft.ranking.comparison import SIGNIFICANT
from mmbnft.ranking.statistics import Array, midranks

# Shrunk values keep at least this share of their distance, so that two of them are never exactly equal.
_LEAST = 1e-6


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


@dataclass(frozen=True)
class Repeated:
    """Means of repeats with the standard deviation that they share.

    Attributes:
        means: (n,) mean of each checkpoint.
        counts: (n,) number of repeats of each.
        deviation: Standard deviation of one repeat, pooled over the checkpoints.
        freedom: Degrees of freedom of `deviation`.
    """

    means: Array
    counts: npt.NDArray[np.intp]
    deviation: float
    freedom: int


def critical_difference(values: Array, level: float = 0.95) -> CriticalDifference:
    """Friedman and Nemenyi on (tasks, n) values, larger is better; needs 2 tasks and 3 checkpoints."""
    tasks, n = values.shape
    p_value = float(stats.friedmanchisquare(*values.T).pvalue) if np.ptp(values, axis=1).any() else 1.0
    q = stats.studentized_range.ppf(level, n, math.inf) / math.sqrt(2)
    difference = float(q * math.sqrt(n * (n + 1) / (6 * tasks)))
    return CriticalDifference(midranks(values).mean(axis=0), p_value, difference, tasks)


def repeated(repeats: Array, aligned: bool) -> Repeated | None:
    """Means and pooled deviation of (n, m) repeats, NaN-padded; None without a second repeat of any checkpoint.

    Args:
        repeats: (n, m) repeats; every row has at least one.
        aligned: Whether column j is the same split and seed for every checkpoint; what a split does to all of them
            alike then does not blur their order, and is taken off (a paired comparison).
    """
    counts = np.isfinite(repeats).sum(axis=1)
    if counts.max(initial=0) < 2:
        return None
    # Rounded so that equal repeats tie.
    means = np.asarray(np.round(np.nanmean(repeats, axis=1), 9), float)
    left, freedom = repeats - means[:, None], int((counts - 1).sum())
    if aligned and len(repeats) >= 2 and np.isfinite(repeats).all():
        left = left - left.mean(axis=0)
        freedom = (repeats.shape[0] - 1) * (repeats.shape[1] - 1)
    return Repeated(means, counts, math.sqrt(float(np.nansum(left**2)) / freedom), freedom)


def measured_once(means: Array, errors: Array, freedom: int) -> Repeated | None:
    """One value of each checkpoint with its standard error; None where one is unknown.

    Args:
        means: (n,) values.
        errors: (n,) standard errors, NaN where unknown.
        freedom: Degrees of freedom of all of them together.
    """
    if len(means) < 2 or not np.isfinite(errors).all():
        return None
    return Repeated(means, np.ones(len(means), np.intp), math.sqrt(float((errors**2).mean())), freedom)


def tukey_tiers(sample: Repeated) -> npt.NDArray[np.intp]:
    """(n,) tiers from 1: a tier holds whatever cannot be told apart from its best member.

    Two checkpoints are told apart by Tukey's studentised range with Kramer's change for unequal numbers of repeats, so
    that with no difference between any of them a second tier appears in 5 % of data sets, whatever their number.
    """
    q = critical_range(len(sample.means), sample.freedom)

    def separable(i: int, j: int) -> bool:
        error = sample.deviation * math.sqrt((1 / sample.counts[i] + 1 / sample.counts[j]) / 2)
        return bool(abs(sample.means[i] - sample.means[j]) > q * error)

    return _tiers(sample.means, separable)


@functools.lru_cache(maxsize=512)
def critical_range(n: int, freedom: int) -> float:
    """Studentised range of n means that chance exceeds in 5 % of data sets."""
    return float(stats.studentized_range.ppf(1 - SIGNIFICANT, n, freedom))


def likely_values(sample: Repeated, group: npt.NDArray[np.bool_], resamples: int, rng: np.random.Generator) -> Array:
    """(resamples, n) true values as the data leave them likely, from a random-effects model.

    The observed leader of a close group owes part of its lead to luck, so the members of `group` are shrunk towards
    their common mean by as much as their spread is noise (Box & Tiao, Bayesian Inference in Statistical Analysis, 1973,
    chapter 5); the deviation is drawn from its scaled inverse chi-squared posterior.

    Args:
        sample: Means of the repeats.
        group: (n,) which checkpoints are shrunk together: those that cannot be told from the best.
        resamples: Number of draws.
        rng: Their source.
    """
    means, size = sample.means, int(group.sum())
    variance = sample.deviation**2 * sample.freedom / rng.chisquare(sample.freedom, resamples)
    errors = variance[:, None] / sample.counts
    kept, centre = np.ones((resamples, len(means))), np.zeros(resamples)
    if size >= 3:
        error = errors[:, group].mean(axis=1)
        total = float(((means[group] - means[group].mean()) ** 2).sum()) / rng.chisquare(size - 1, resamples)
        between = np.maximum(total - error, _LEAST * error)
        shares = between[:, None] / np.maximum(between[:, None] + errors[:, group], np.finfo(float).tiny)
        kept[:, group] = np.maximum(shares, _LEAST)
        centre = means[group].mean() + np.sqrt((between + error) / size) * rng.standard_normal(resamples)
    noise = np.sqrt(kept * errors) * rng.standard_normal(kept.shape)
    return centre[:, None] * (1 - kept) + kept * means + noise


def standings(draws: Array, ranks: Array) -> tuple[Array, Array, Array]:
    """Rank interval (95 %) and chance of being best; ties share the chance.

    Args:
        draws: (resamples, n) values.
        ranks: (n,) observed ranks; an interval is widened to hold its own.
    """
    drawn = midranks(draws)
    best = draws == draws.max(axis=1, keepdims=True)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    chance = (best / best.sum(axis=1, keepdims=True)).mean(axis=0)
    return np.minimum(np.floor(low), ranks), np.maximum(np.ceil(high), ranks), chance


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
