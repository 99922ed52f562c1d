"""Resampling of checkpoints, and the intervals and p-values read off the resamples.

Only checkpoints are resampled; a drawn one keeps all of its repeats. Drawing repeats again inside the drawn checkpoints
adds their noise a second time: it pulls every correlation down, below its own estimate (Davison & Hinkley, Bootstrap
Methods and their Application, 1997, section 3.8).
"""

import itertools
import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import stats

from mmbnft.ranking.statistics import ROUNDING, Array, Statistic

Draws = npt.NDArray[np.intp]

# Above this share of resamples without a value the rest no longer stands for the sampling distribution.
MOST_UNDEFINED = 0.05
# All orders are enumerated up to this n (8! = 40,320); beyond it they are sampled.
LARGEST_EXACT = 8
# The interval each statistic is reported with: the one whose coverage at n = 12 came nearest to 95 % in simulation
# (benchmarks/ranking_calibration.py).
INTERVALS = {"pearson": "expanded", "spearman": "percentile", "kendall": "percentile", "weighted_tau": "percentile"}


def checkpoint_draws(uniform: Array, n: int) -> Draws:
    """(resamples, n) indices of drawn checkpoints; tasks with the same n checkpoints get the same draws."""
    return (uniform[:, :n] * n).astype(np.intp)


def percentile(boot: Array, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of the resampled values (Efron 1979)."""
    tail = (1 - level) / 2
    return _quantiles(boot, tail, 1 - tail)


def expanded(boot: Array, n: int, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval with its tails moved out for small n (Hesterberg, The American Statistician 2015).

    A bootstrap of n values is too narrow by sqrt((n - 1) / n) and by the normal in place of Student's t.

    Args:
        boot: (resamples,) resampled values.
        n: Number of values that were resampled.
        level: Coverage, a fraction.
    """
    tail = float(stats.norm.cdf(math.sqrt(n / (n - 1)) * stats.t.ppf((1 - level) / 2, n - 1)))
    return _quantiles(boot, tail, 1 - tail)


def bca(boot: Array, value: float, jackknife: Array, level: float = 0.95) -> tuple[float, float]:
    """Bias-corrected and accelerated interval (Efron 1987).

    Args:
        boot: (resamples,) resampled values.
        value: The statistic of the sample.
        jackknife: (n,) the statistic without each checkpoint in turn.
        level: Coverage.
    """
    boot, jackknife = boot[np.isfinite(boot)], jackknife[np.isfinite(jackknife)]
    if not len(boot) or not len(jackknife):
        return math.nan, math.nan
    # Half of the resamples that hit the value exactly count as below it; a share of 0 or 1 has no normal quantile.
    below = float(np.mean(boot < value - ROUNDING) + np.mean(boot <= value + ROUNDING)) / 2
    bias = stats.norm.ppf(np.clip(below, 1 / len(boot), 1 - 1 / len(boot)))
    deviation = jackknife.mean() - jackknife
    spread = float((deviation**2).sum())
    acceleration = float((deviation**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0
    quantile = bias + stats.norm.ppf([(1 - level) / 2, (1 + level) / 2])
    low, high = stats.norm.cdf(bias + quantile / (1 - acceleration * quantile))
    return _quantiles(boot, float(low), float(high))


def jackknife(statistic: Statistic, proxy: Array, target: Array) -> Array:
    """(..., n) the statistic without each checkpoint in turn.

    Args:
        statistic: From proxy and target (..., n) to values (...).
        proxy: (n,).
        target: (n,).
    """
    n = len(proxy)
    kept = np.array([[i for i in range(n) if i != left_out] for left_out in range(n)])
    return statistic(proxy[kept], target[kept])


def interval(name: str, value: float, boot: Array, left_out: Array) -> tuple[float, float]:
    """The reported 95 % interval of statistic `name` (see `INTERVALS`); NaN where it means nothing.

    Args:
        name: Key of `STATISTICS`.
        value: The statistic of the sample.
        boot: (resamples,) resampled values.
        left_out: (n,) the statistic without each checkpoint in turn.
    """
    kind = INTERVALS[name]
    if kind == "expanded":
        return summary(boot, lambda known: expanded(known, len(left_out)), value)
    return summary(boot, percentile, value)


def permutation_p(
    statistic: Statistic, proxy: Array, target: Array, rng: np.random.Generator, resamples: int = 10_000
) -> Array:
    """Two-sided p-value of no association: every order of the target up to `LARGEST_EXACT`, random orders beyond.

    Random orders use (1 + hits) / (1 + orders), which never claims a p of 0 (Phipson & Smyth 2010).

    Args:
        statistic: What measures association, giving one value or several, (...).
        proxy: (n,) values.
        target: (n,) values.
        rng: Source of the random orders.
        resamples: Number of random orders.

    Returns:
        (...) p-values; NaN where the statistic is undefined.
    """
    value = statistic(proxy, target)
    n = len(proxy)
    if n <= LARGEST_EXACT:
        orders = np.array(list(itertools.permutations(range(n))))
    else:
        orders = rng.permuted(np.tile(np.arange(n), (resamples, 1)), axis=1)
    null = np.abs(statistic(np.broadcast_to(proxy, orders.shape), target[orders]))
    hits = np.sum(null >= np.abs(value)[..., None] - ROUNDING, axis=-1)
    share = hits / len(orders) if n <= LARGEST_EXACT else (1 + hits) / (1 + len(orders))
    return np.where(np.isnan(value), np.nan, share)


def summary(
    boot: Array, read: Callable[[Array], tuple[float, float]] = percentile, value: float = math.nan
) -> tuple[float, float]:
    """An interval of resampled values, or NaN where they cannot give one.

    A resample in which a side is constant has no value and is left out; with more than `MOST_UNDEFINED` of them there
    is no interval. Nor is there one where all resamples give one value: a handful of checkpoints in perfect order says
    nothing of how far the next ones may be out of order.

    Args:
        boot: (resamples,) resampled values, NaN where undefined.
        read: What reads an interval off the values.
        value: The estimate; the interval is widened to hold it where the bootstrap's bias has left it outside.
    """
    known = boot[np.isfinite(boot)]
    if not known.size or known.size < (1 - MOST_UNDEFINED) * boot.size or np.ptp(known) <= ROUNDING:
        return math.nan, math.nan
    low, high = read(known)
    return float(np.fmin(low, value)), float(np.fmax(high, value))


def _quantiles(boot: Array, low: float, high: float) -> tuple[float, float]:
    known = boot[np.isfinite(boot)]
    if not len(known):
        return math.nan, math.nan
    a, b = np.quantile(known, [low, high])
    return float(a), float(b)
