"""Is one proxy a better predictor than another? Tests of a difference of correlations with the same target."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import stats

from mmbnft.ranking.statistics import ROUNDING, Array, Statistic, pearson

SIGNIFICANT = 0.05
# Up to this many checkpoints all 2^n swaps are tried.
LARGEST_EXACT = 12

A_BETTER, B_BETTER, NOT_SEPARABLE, NO_VERDICT = "a better", "b better", "not separable", "no verdict"


def williams_p(proxy_a: Array, proxy_b: Array, target: Array) -> float:
    """Two-sided p-value of Williams' t for two correlations that share the target (Williams 1959; Steiger 1980).

    Args:
        proxy_a: (n,) values.
        proxy_b: (n,) values.
        target: (n,) values.
    """
    n = len(target)
    r_a, r_b, r_ab = (float(pearson(x, y)) for x, y in ((proxy_a, target), (proxy_b, target), (proxy_a, proxy_b)))
    if n < 4 or math.isnan(r_a + r_b + r_ab):
        return math.nan
    if r_a == r_b:
        return 1.0
    determinant = max(0.0, 1 - r_a**2 - r_b**2 - r_ab**2 + 2 * r_a * r_b * r_ab)
    mean = (r_a + r_b) / 2
    scale = 2 * (n - 1) / (n - 3) * determinant + mean**2 * (1 - r_ab) ** 3
    if scale <= 0:
        return math.nan
    t = (r_a - r_b) * math.sqrt((n - 1) * (1 + r_ab) / scale)
    return float(2 * stats.t.sf(abs(t), n - 3))


def zou_interval(proxy_a: Array, proxy_b: Array, target: Array, level: float = 0.95) -> tuple[float, float]:
    """Interval of the difference of two Pearson correlations with one target (Zou, Psychological Methods 2007).

    Joins the two Fisher intervals through the correlation of the two estimates; needs n of at least 4.

    Args:
        proxy_a: (n,) values of the first proxy.
        proxy_b: (n,) values of the second.
        target: (n,) values of the target.
        level: Coverage, a fraction.
    """
    n = len(target)
    r_a, r_b, r_ab = (float(pearson(x, y)) for x, y in ((proxy_a, target), (proxy_b, target), (proxy_a, proxy_b)))
    if n < 4 or math.isnan(r_a + r_b + r_ab) or max(abs(r_a), abs(r_b)) > 1 - 1e-12:
        return math.nan, math.nan
    half = stats.norm.ppf((1 + level) / 2) / math.sqrt(n - 3)
    (low_a, high_a), (low_b, high_b) = ([math.tanh(math.atanh(r) + s * half) for s in (-1, 1)] for r in (r_a, r_b))
    shared = (r_ab - r_a * r_b / 2) * (1 - r_a**2 - r_b**2 - r_ab**2) + r_ab**3
    c = shared / ((1 - r_a**2) * (1 - r_b**2))
    down = (r_a - low_a) ** 2 + (high_b - r_b) ** 2 - 2 * c * (r_a - low_a) * (high_b - r_b)
    up = (high_a - r_a) ** 2 + (r_b - low_b) ** 2 - 2 * c * (high_a - r_a) * (r_b - low_b)
    return r_a - r_b - math.sqrt(max(down, 0.0)), r_a - r_b + math.sqrt(max(up, 0.0))


def swaps(n: int, rng: np.random.Generator, resamples: int) -> npt.NDArray[np.bool_]:
    """(swaps, n) which checkpoints have their two proxies exchanged; all 2^n up to `LARGEST_EXACT`, else random.

    The first row swaps nothing; row i and row i + swaps / 2 are complements.

    Args:
        n: Number of checkpoints.
        rng: Draws the swaps where there are too many to list.
        resamples: How many to draw then.
    """
    if n <= LARGEST_EXACT:
        half = np.array([[bool(i >> bit & 1) for bit in range(n)] for i in range(2 ** (n - 1))])
    else:
        half = rng.random((resamples // 2, n)) < 0.5
        half[0] = False
    return np.concatenate([half, ~half])


def swapped_differences(
    statistic: Statistic, proxy_a: Array, proxy_b: Array, target: Array, swap: npt.NDArray[np.bool_]
) -> Array:
    """(..., swaps) differences of the two correlations under every swap; the first is the observed one.

    The two proxies must be on one scale, e.g. ranks. Exchanging the rest is exchanging the two results, so each
    correlation is computed once: the complement of a swap holds the other proxy.

    Args:
        statistic: From proxy and target (..., n) to correlations (...).
        proxy_a: (..., n) values of the first proxy.
        proxy_b: (..., n) values of the second, on the same scale.
        target: (..., n) values of the target.
        swap: bool (swaps, n), see `swaps`.
    """
    values = statistic(np.where(swap, proxy_b, proxy_a), np.broadcast_to(target, swap.shape))
    return values - np.roll(values, len(swap) // 2, axis=-1)


def swap_p(differences: Array) -> float:
    """Two-sided p-value: the share of swaps with at least the observed difference, the observed one included."""
    if math.isnan(float(differences[0])):
        return math.nan
    # A swap that leaves a proxy constant has no correlation; counting it as a hit keeps the test on the safe side.
    hits = ~(np.abs(differences) < abs(differences[0]) - ROUNDING)
    return float(np.mean(hits))


def bootstrap_p(boot: Array) -> float:
    """Two-sided p-value that resampled differences give: twice the smaller share on one side of 0."""
    known = boot[np.isfinite(boot)]
    if not len(known):
        return math.nan
    return min(1.0, 2 * (1 + min(int((known <= ROUNDING).sum()), int((known >= -ROUNDING).sum()))) / (1 + len(known)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values (Holm 1979); NaN stays NaN and does not count as a test."""
    adjusted = [math.nan] * len(p_values)
    known = sorted((p, i) for i, p in enumerate(p_values) if not math.isnan(p))
    largest = 0.0
    for position, (p, i) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - position) * p))
        adjusted[i] = largest
    return adjusted


def verdict(difference: float, low: float, high: float, p_adjusted: float) -> str:
    """Who is better: only if the adjusted p-value is below 5 % and the interval leaves out 0.

    Args:
        difference: Of two correlations, the first minus the second.
        low: Lower end of its interval.
        high: Upper end.
        p_adjusted: p-value after adjustment for several tests.
    """
    if math.isnan(difference) or math.isnan(p_adjusted):
        return NO_VERDICT
    if p_adjusted > SIGNIFICANT:
        return NOT_SEPARABLE
    if math.isnan(low) or math.isnan(high):
        return NO_VERDICT
    if p_adjusted <= SIGNIFICANT and low > 0:
        return A_BETTER
    if p_adjusted <= SIGNIFICANT and high < 0:
        return B_BETTER
    return NOT_SEPARABLE
