"""Correlation of a proxy with a target, on whole batches of resamples at once.

Every function takes `proxy` and `target` of shape (..., n), larger meaning better in both, and returns shape (...). A
row in which a side does not vary has no correlation and gives NaN; what to do about that is the caller's rule.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

Array = npt.NDArray[np.float64]
Statistic = Callable[[Array, Array], Array]
Counts = npt.NDArray[np.signedinteger[Any]]

# Correlations that differ by no more than this are equal, and values that vary by no more than this share are constant.
ROUNDING = 1e-12
# Values worked on at once: few enough that every intermediate array stays in the processor's cache.
_BLOCK = 50_000


def pearson(proxy: Array, target: Array) -> Array:
    """Product-moment correlation along the last axis.

    Args:
        proxy: (..., n) values of the proxy.
        target: (..., n) values of the target.

    Returns:
        (...) correlations; NaN where a side is constant.
    """
    return _by_columns(_pearson, proxy, target)


def spearman(proxy: Array, target: Array) -> Array:
    """Rank correlation: Pearson of the midranks, so tied values share the mean of their ranks.

    Args:
        proxy: (..., n) values of the proxy.
        target: (..., n) values of the target.

    Returns:
        (...) correlations; NaN where a side is constant.
    """
    return _by_columns(lambda a, b: _spearman(_tally(a, b)), proxy, target)


def kendall(proxy: Array, target: Array) -> Array:
    """Kendall's tau-b: concordant minus discordant pairs, over pairs not tied (Kendall 1945).

    Args:
        proxy: (..., n) values of the proxy.
        target: (..., n) values of the target.

    Returns:
        (...) correlations; NaN where a side is constant.
    """
    return _by_columns(lambda a, b: _kendall(_tally(a, b)), proxy, target)


def weighted_tau(proxy: Array, target: Array) -> Array:
    """Vigna's additive hyperbolic tau (WWW 2015), as `scipy.stats.weightedtau(proxy, target)` defines it.

    A pair weighs 1 / rank of its one member plus 1 / rank of the other, so disorder among the best counts most. The
    figure is the mean over ranking by (proxy, target) and by (target, proxy).

    Args:
        proxy: (..., n) values of the proxy.
        target: (..., n) values of the target.

    Returns:
        (...) correlations; NaN where a side is constant.
    """
    return _by_columns(lambda a, b: _weighted_tau(_tally(a, b)), proxy, target)


STATISTICS: dict[str, Statistic] = {
    "pearson": pearson,
    "spearman": spearman,
    "kendall": kendall,
    "weighted_tau": weighted_tau,
}


def correlations(proxy: Array, target: Array) -> Array:
    """Every one of `STATISTICS` from a single pass over the pairs of values.

    Args:
        proxy: (..., n) values of the proxy.
        target: (..., n) values of the target.

    Returns:
        (statistics, ...) correlations in the order of `STATISTICS`; NaN where a side is constant.
    """
    return _by_columns(_all, proxy, target)


def midranks(values: Array) -> Array:
    """Ranks 1..n along the last axis, 1 for the largest value; tied values share the mean of their ranks."""
    return np.asarray(stats.rankdata(-values, axis=-1), float)


class _Tally(NamedTuple):
    """What the comparisons of (n, rows) values of two sides add up to, per value: (n, rows) integers.

    Attributes:
        wins_a: Values below this one minus values above it, in a.
        wins_b: The same in b.
        agree: Concordant minus discordant pairs that this value is in.
        untied_a: Values that differ from this one in a.
        untied_b: The same in b.
        place_ab: Place from 0 when sorted by a, then by b, then as listed; the largest first.
        place_ba: Place from 0 when sorted by b, then by a, then as listed.
    """

    wins_a: Counts
    wins_b: Counts
    agree: Counts
    untied_a: Counts
    untied_b: Counts
    place_ab: Counts
    place_ba: Counts


def _by_columns(function: Statistic, proxy: Array, target: Array) -> Array:
    """Apply `function` of (n, rows) to pieces of (..., n): its arithmetic then runs along many rows at once."""
    proxy, target = np.broadcast_arrays(np.asarray(proxy, float), np.asarray(target, float))
    lead, n = proxy.shape[:-1], proxy.shape[-1]
    a, b = proxy.reshape(-1, n), target.reshape(-1, n)
    step = max(1, _BLOCK // n)
    pieces = [
        function(np.ascontiguousarray(a[i : i + step].T), np.ascontiguousarray(b[i : i + step].T))
        for i in range(0, len(a), step)
    ]
    found = np.concatenate(pieces, axis=-1)
    return found.reshape((*found.shape[:-1], *lead))


def _all(a: Array, b: Array) -> Array:
    tally = _tally(a, b)
    return np.stack([_pearson(a, b), _spearman(tally), _kendall(tally), _weighted_tau(tally)])


def _tally(a: Array, b: Array) -> _Tally:
    """Compare each value with every later one, in the smallest integers that hold a count up to n."""
    n, kind = len(a), np.min_scalar_type(-len(a) - 1)
    tally = _Tally(*np.zeros((len(_Tally._fields), *a.shape), kind))
    for i in range(n - 1):
        sign_a, sign_b = _sign(a[i], a[i + 1 :]), _sign(b[i], b[i + 1 :])
        for wins, untied, sign in ((tally.wins_a, tally.untied_a, sign_a), (tally.wins_b, tally.untied_b, sign_b)):
            wins[i] += sign.sum(axis=0, dtype=kind)
            wins[i + 1 :] -= sign
            _add_pairs(untied, i, sign * sign)
        _add_pairs(tally.agree, i, sign_a * sign_b)
        for place, order in ((tally.place_ab, 2 * sign_a + sign_b), (tally.place_ba, 2 * sign_b + sign_a)):
            first = order >= 0  # of two that tie in both, the one listed first
            place[i + 1 :] += first
            place[i] += (~first).sum(axis=0, dtype=kind)
    return tally


def _sign(value: Array, others: Array) -> npt.NDArray[np.int8]:
    return (value > others).view(np.int8) - (value < others).view(np.int8)


def _add_pairs(counts: Counts, i: int, pairs: Counts) -> None:
    """Count what each pair (i, j > i) gives for both of its members."""
    counts[i] += pairs.sum(axis=0, dtype=counts.dtype)
    counts[i + 1 :] += pairs


def _pearson(a: Array, b: Array) -> Array:
    size_a, size_b = (np.maximum(np.abs(side).max(axis=0), np.finfo(float).tiny) for side in (a, b))
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    norm_a, norm_b = np.sqrt(_dot(a, a)), np.sqrt(_dot(b, b))
    flat = (norm_a <= ROUNDING * size_a) | (norm_b <= ROUNDING * size_b)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(flat, np.nan, np.clip(_dot(a, b) / (norm_a * norm_b), -1.0, 1.0))


def _spearman(tally: _Tally) -> Array:
    # A midrank is (n + 1 - wins) / 2, so the wins are the centred ranks but for a factor.
    a, b = tally.wins_a.astype(float), tally.wins_b.astype(float)
    return _ratio(_dot(a, b), _dot(a, a), _dot(b, b))


def _kendall(tally: _Tally) -> Array:
    return _ratio(*(counts.sum(axis=0, dtype=float) for counts in (tally.agree, tally.untied_a, tally.untied_b)))


def _weighted_tau(tally: _Tally) -> Array:
    counts = [counts.astype(float) for counts in (tally.agree, tally.untied_a, tally.untied_b)]
    weights = (1 / (place + 1.0) for place in (tally.place_ab, tally.place_ba))
    # The weight of a pair is symmetric, w_i + w_j, so weighing the counts of each value counts each pair once.
    by_proxy, by_target = (_ratio(*(_dot(weight, count) for count in counts)) for weight in weights)
    return (by_proxy + by_target) / 2


def _dot(a: Array, b: Array) -> Array:
    return np.asarray(np.einsum("ij,ij->j", a, b))


def _ratio(agreement: Array, spread_a: Array, spread_b: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.clip(agreement / np.sqrt(spread_a * spread_b), -1.0, 1.0)
    return np.where((spread_a > 0) & (spread_b > 0), ratio, np.nan)
