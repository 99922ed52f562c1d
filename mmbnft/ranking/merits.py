"""What each checkpoint is worth over tasks, with intervals, and how many tasks or seeds settle their order."""

import math
from dataclasses import dataclass

import numpy as np

from mmbnft.ranking.resampling import expanded, summary
from mmbnft.ranking.statistics import Array, midranks

# Fewer tasks than this give a bootstrap over tasks no meaning.
FEWEST_TASKS = 3
# Reliability from which an order counts as settled.
SETTLED = 0.9


@dataclass(frozen=True)
class Stability:
    """How alike tasks (or seeds) order the checkpoints, and what that means for the order by their mean.

    Attributes:
        rows: Number of tasks, or of seeds of each task.
        agreement: Mean Spearman correlation between two of them, with its 95 % interval.
        reliability: Correlation to expect between this mean order and that of as many other tasks, with its interval.
        needed: How many would bring the reliability to `SETTLED`, with its interval; infinite without agreement.
    """

    rows: int
    agreement: tuple[float, float, float]
    reliability: tuple[float, float, float]
    needed: tuple[float, float, float]


def win_shares(values: Array) -> Array:
    """(tasks, n) share of the other checkpoints that each one beats, ties as halves.

    Args:
        values: (tasks, n) values, larger is better; NaN where missing.
    """
    known = np.isfinite(values)
    ahead = np.where(known[:, :, None] & known[:, None, :], np.sign(values[:, :, None] - values[:, None, :]), np.nan)
    opponents = known.sum(axis=1, keepdims=True) - 1
    wins = (np.nansum(ahead, axis=2) + opponents) / 2
    return np.where(known & (opponents > 0), wins / np.maximum(opponents, 1), np.nan)


def regrets(values: Array) -> Array:
    """(tasks, n) points behind the best checkpoint of each task; a task without values is NaN."""
    best = np.max(np.where(np.isfinite(values), values, -np.inf), axis=1, keepdims=True)
    return np.where(np.isfinite(values), best - values, np.nan)


def centred(values: Array) -> Array:
    """(tasks, n) values with the differences between tasks taken off, around their common mean.

    How hard a task is says nothing of its checkpoints, so an interval over tasks must not hold it (Cousineau,
    Tutorials in Quantitative Methods for Psychology 2005).
    """
    known = np.isfinite(values)
    filled, count = np.where(known, values, 0.0), known.sum(axis=1, keepdims=True)
    tasks = np.where(count > 0, filled.sum(axis=1, keepdims=True) / np.maximum(count, 1), np.nan)
    return values - tasks + filled.sum() / max(int(count.sum()), 1)


def over_tasks(figures: Array, resamples: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Mean over tasks of each checkpoint and its 95 % interval for other tasks of the same kind.

    Args:
        figures: (tasks, n) figures; NaN where missing.
        resamples: Number of draws of tasks.
        rng: Their source.

    Returns:
        (n,) means, and lower and upper ends; NaN ends with fewer than `FEWEST_TASKS` tasks.
    """
    known = np.isfinite(figures)
    count, filled = known.sum(axis=0), np.where(known, figures, 0.0)
    means = np.where(count > 0, filled.sum(axis=0) / np.maximum(count, 1), np.nan)
    tasks = len(figures)
    draws = rng.multinomial(tasks, np.full(tasks, 1 / tasks), size=resamples).astype(float)
    drawn = draws @ known.astype(float)
    boots = np.where(drawn > 0, (draws @ filled) / np.maximum(drawn, 1), np.nan)
    ends = [_ends(boot, float(mean), int(m)) for boot, mean, m in zip(boots.T, means, count, strict=True)]
    return means, np.array([low for low, _ in ends]), np.array([high for _, high in ends])


def _ends(boot: Array, mean: float, tasks: int) -> tuple[float, float]:
    if tasks < FEWEST_TASKS:
        return math.nan, math.nan
    return summary(boot, lambda known: expanded(known, tasks), mean)


def stability(blocks: list[Array], resamples: int, rng: np.random.Generator) -> Stability | None:
    """Agreement of rows that order the same checkpoints, extrapolated by Spearman and Brown's formula.

    Args:
        blocks: (rows, n) values each, complete: one block whose rows are tasks, or one block per task whose rows are
            seeds; agreement is taken within a block and averaged.
        resamples: Number of draws of checkpoints.
        rng: Their source.

    Returns:
        None unless a block has two rows and three checkpoints that differ.
    """
    usable = [block for block in blocks if len(block) >= 2 and block.shape[1] >= 3]
    found = [_agreement(block[:, None]) for block in usable]
    usable = [block for block, value in zip(usable, found, strict=True) if np.isfinite(value[0])]
    if not usable:
        return None
    rows = max(len(block) for block in usable)
    value = float(np.mean([_agreement(block[:, None])[0] for block in usable]))
    boots = [_agreement(block[:, rng.integers(0, block.shape[1], (resamples, block.shape[1]))]) for block in usable]
    low, high = summary(np.mean(boots, axis=0), value=value)
    agreement = value, low, high
    reliability = spearman_brown(value, rows), spearman_brown(low, rows), spearman_brown(high, rows)
    return Stability(rows, agreement, reliability, (rows_needed(value), rows_needed(high), rows_needed(low)))


def spearman_brown(agreement: float, rows: float) -> float:
    """Reliability of the mean of `rows` rows of which two agree by this correlation (Spearman 1910; Brown 1910)."""
    if math.isnan(agreement):
        return math.nan
    return rows * agreement / (1 + (rows - 1) * agreement) if agreement > 0 else 0.0


def rows_needed(agreement: float) -> float:
    """Number of rows whose mean has the reliability `SETTLED`; infinite if they do not agree at all."""
    if math.isnan(agreement):
        return math.nan
    if agreement <= 0:
        return math.inf
    return max(1.0, math.ceil(SETTLED * (1 - agreement) / (agreement * (1 - SETTLED)) - 1e-9))


def _agreement(values: Array) -> Array:
    """(rows, draws, n) values to (draws,) mean Spearman correlation between two rows; NaN if a row is constant."""
    ranks = midranks(values)
    ranks = ranks - ranks.mean(axis=-1, keepdims=True)
    size = np.sqrt((ranks**2).sum(axis=-1, keepdims=True))
    units = np.divide(ranks, size, out=np.full_like(ranks, np.nan), where=size > 0)
    rows = len(values)
    return ((units.sum(axis=0) ** 2).sum(axis=-1) - rows) / (rows * (rows - 1))
