"""Correlation of a proxy with a target, on whole batches of resamples at once.

Every function takes `proxy` and `target` of shape (..., n), larger meaning better in both, and returns shape (...). A
row in which a side does not vary has no correlation and gives NaN; what to do about that is the caller's rule.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Statistic = Callable[[Array, Array], Array]

# Differences below this share of the spread are rounding, not variation.
_ROUNDING = 1e-12
# Pairwise comparisons held in memory at once, about 32 MB per intermediate array.
_BLOCK = 4_000_000


def pearson(proxy: Array, target: Array) -> Array:
    """Product-moment correlation along the last axis.

    Args:
        proxy: (..., n) values of the proxy.
        target: (..., n) values of the target.

    Returns:
        (...) correlations; NaN where a side is constant.
    """
    a = proxy - proxy.mean(axis=-1, keepdims=True)
    b = target - target.mean(axis=-1, keepdims=True)
    norm_a, norm_b = np.sqrt((a * a).sum(axis=-1)), np.sqrt((b * b).sum(axis=-1))
    flat = (norm_a <= _ROUNDING * _size(proxy)) | (norm_b <= _ROUNDING * _size(target))
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.clip((a * b).sum(axis=-1) / (norm_a * norm_b), -1.0, 1.0)
    return np.where(flat, np.nan, value)


def spearman(proxy: Array, target: Array) -> Array:
    """Rank correlation: Pearson of the midranks, so tied values share the mean of their ranks.

    Args:
        proxy: (..., n) values of the proxy.
        target: (..., n) values of the target.

    Returns:
        (...) correlations; NaN where a side is constant.
    """
    return _in_blocks(_spearman, proxy, target)


def kendall(proxy: Array, target: Array) -> Array:
    """Kendall's tau-b: concordant minus discordant pairs, over pairs not tied (Kendall 1945).

    Args:
        proxy: (..., n) values of the proxy.
        target: (..., n) values of the target.

    Returns:
        (...) correlations; NaN where a side is constant.
    """
    return _in_blocks(_kendall, proxy, target)


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
    return _in_blocks(_weighted_tau, proxy, target)


STATISTICS: dict[str, Statistic] = {
    "pearson": pearson,
    "spearman": spearman,
    "kendall": kendall,
    "weighted_tau": weighted_tau,
}


def midranks(values: Array) -> Array:
    """Ranks 1..n along the last axis, 1 for the largest value; tied values share the mean of their ranks."""
    n = values.shape[-1]
    return (n + 1) / 2 - _signs(values).sum(axis=-1) / 2


def _size(values: Array) -> Array:
    return np.maximum(np.abs(values).max(axis=-1), np.finfo(float).tiny)


def _signs(values: Array) -> Array:
    """(..., n) to (..., n, n): sign of value i minus value j."""
    return np.sign(values[..., :, None] - values[..., None, :])


def _in_blocks(function: Statistic, proxy: Array, target: Array) -> Array:
    """Apply `function` to (rows, n) pieces small enough that their (rows, n, n) comparisons fit in memory."""
    proxy, target = np.broadcast_arrays(np.asarray(proxy, float), np.asarray(target, float))
    lead, n = proxy.shape[:-1], proxy.shape[-1]
    a, b = proxy.reshape(-1, n), target.reshape(-1, n)
    step = max(1, _BLOCK // (n * n))
    pieces = [function(a[i : i + step], b[i : i + step]) for i in range(0, len(a), step)]
    return np.concatenate(pieces).reshape(lead)


def _spearman(proxy: Array, target: Array) -> Array:
    return pearson(midranks(proxy), midranks(target))


def _kendall(proxy: Array, target: Array) -> Array:
    a, b = _signs(proxy), _signs(target)
    return _ratio((a * b).sum(axis=(-2, -1)), np.abs(a).sum(axis=(-2, -1)), np.abs(b).sum(axis=(-2, -1)))


def _weighted_tau(proxy: Array, target: Array) -> Array:
    a, b = _signs(proxy), _signs(target)
    return (_hyperbolic_tau(a, b, 2 * a + b) + _hyperbolic_tau(a, b, 2 * b + a)) / 2


def _hyperbolic_tau(a: Array, b: Array, order: Array) -> Array:
    """Weighted tau for the ranking in which i precedes j if `order[i, j]` is positive."""
    n = a.shape[-1]
    earlier = np.tril(np.ones((n, n)), -1)  # among identical pairs the one listed first ranks first
    rank = (order < 0).sum(axis=-1) + ((order == 0) * earlier).sum(axis=-1)
    weight = 1.0 / (rank + 1.0)
    # The weight of a pair is symmetric, w_i + w_j, so summing w_i over all ordered pairs counts each pair once.
    agree = np.einsum("...ij,...i->...", a * b, weight)
    return _ratio(
        agree, np.einsum("...ij,...i->...", np.abs(a), weight), np.einsum("...ij,...i->...", np.abs(b), weight)
    )


def _ratio(agreement: Array, untied_a: Array, untied_b: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(
            (untied_a > 0) & (untied_b > 0), np.clip(agreement / np.sqrt(untied_a * untied_b), -1.0, 1.0), np.nan
        )
