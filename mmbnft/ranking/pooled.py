"""Correlation over several tasks at once, the right way and the misleading way."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mmbnft.ranking.statistics import Array

# 0 % and 100 % have no logit; moving them inside by this many percent touches nothing else.
_EDGE = 0.01


def logit(percent: Array) -> Array:
    """Log-odds of a percentage, with 0 and 100 moved inside by a hundredth of a percent."""
    share = np.clip(percent, _EDGE, 100 - _EDGE) / 100
    return np.log(share / (1 - share))


def within_task_moments(proxy: Array, target: Array) -> Array:
    """Sums of one task for `pooled_correlation`, on the logit scale after the task's mean is taken off.

    Only differences between checkpoints remain, on a scale where the step from 98 to 99 % weighs like a large step
    in the middle (Kornblith et al., CVPR 2019).

    Args:
        proxy: (..., n) percent.
        target: (..., n) percent.

    Returns:
        (..., 6) sums of 1, a, b, a a, b b, a b.
    """
    a, b = logit(proxy), logit(target)
    return moments(a - a.mean(axis=-1, keepdims=True), b - b.mean(axis=-1, keepdims=True))


def moments(a: Array, b: Array) -> Array:
    """(..., n) and (..., n) to (..., 6): sums of 1, a, b, a a, b b, a b."""
    one = np.ones_like(a)
    return np.stack([(u * v).sum(axis=-1) for u, v in ((one, one), (one, a), (one, b), (a, a), (b, b), (a, b))], -1)


def pooled_correlation(sums: Sequence[Array] | Array) -> Array:
    """Pearson correlation of all tasks together from their sums, (tasks, ..., 6) to (...); NaN if nothing varies."""
    n, a, b, aa, bb, ab = np.moveaxis(np.sum(np.asarray(sums), axis=0), -1, 0)
    spread_a, spread_b = aa - a * a / n, bb - b * b / n
    flat = (spread_a <= 1e-12 * aa) | (spread_b <= 1e-12 * bb)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(flat, np.nan, np.clip((ab - a * b / n) / np.sqrt(spread_a * spread_b), -1.0, 1.0))


def two_way(boots: Sequence[Array], rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """(tasks, resamples) indices of drawn tasks: the second way of the two-way bootstrap.

    The first way, drawing checkpoints, has already happened in `boots`, one (resamples, ...) array per task with the
    same draws of checkpoints in each.
    """
    return rng.integers(0, len(boots), (len(boots), len(boots[0])))


def drawn_tasks(boots: Sequence[Array], draws: npt.NDArray[np.intp]) -> Array:
    """(tasks, resamples, ...) values of the drawn tasks of each resample."""
    stacked = np.stack(list(boots))
    return stacked[draws, np.arange(stacked.shape[1])]
