"""What accuracies of episodes say: means with intervals, and paired differences."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from mmbnft.ranking.resampling import expanded
from mmbnft.utils.errors import UserError

Array = npt.NDArray[np.float64]
RESAMPLES = 5_000
_SEED = 0


@dataclass(frozen=True)
class Mean:
    """A mean over episodes.

    Attributes:
        value: The mean, percent.
        half_width: Half of the classical 95 % interval, percentage points.
        low: Lower end of the 95 % bootstrap interval over episodes, its tails moved out for few episodes
            (`mmbnft.ranking.resampling.expanded`).
        high: Upper end.
        episodes: Number of episodes.
    """

    value: float
    half_width: float
    low: float
    high: float
    episodes: int


def half_width(accuracies: Array) -> float:
    """1.96 s / sqrt(n) with the population standard deviation s (ddof 0), as published for few-shot results."""
    return float(1.96 * np.std(accuracies) / math.sqrt(len(accuracies)))


def mean_accuracy(accuracies: Array) -> Mean:
    """The mean of per-episode accuracies (E,) in percent, with both intervals; the same input gives the same output."""
    low, high = expanded(_resampled(accuracies), len(accuracies))
    return Mean(float(np.mean(accuracies)), half_width(accuracies), low, high, len(accuracies))


@dataclass(frozen=True)
class Difference:
    """A paired difference over the same episodes.

    Attributes:
        value: Mean of first minus second, percentage points.
        low: Lower end of the 95 % bootstrap interval over episodes, as for a mean.
        high: Upper end.
        p_value: Two-sided p-value of the paired t-test; 1 where the two agree in every episode.
        episodes: Number of episodes.
    """

    value: float
    low: float
    high: float
    p_value: float
    episodes: int


def paired_difference(first: Array, second: Array) -> Difference:
    """Compare two methods, or two checkpoints, on the same episodes.

    Args:
        first: (E,) accuracies in percent.
        second: (E,) accuracies of the other on the same episodes.

    Raises:
        UserError: The numbers of episodes differ.
    """
    if len(first) != len(second):
        raise UserError(
            f"only results on the same episodes can be compared, got {len(first)} and {len(second)} episodes"
        )
    differences = np.asarray(first, float) - np.asarray(second, float)
    low, high = expanded(_resampled(differences), len(differences))
    constant = bool(np.ptp(differences) == 0)
    p_value = float(not differences.any()) if constant else float(stats.ttest_rel(first, second).pvalue)
    return Difference(float(differences.mean()), low, high, p_value, len(differences))


def _resampled(values: Array) -> Array:
    """(RESAMPLES,) means of episodes drawn with replacement; the same draws for every input of one length."""
    rng = np.random.default_rng([_SEED, len(values)])
    # Counts of how often each episode is drawn are all a mean needs, and take less room than indices.
    counts = rng.multinomial(len(values), np.full(len(values), 1 / len(values)), size=RESAMPLES)
    return np.asarray(counts @ np.asarray(values, float) / len(values))
