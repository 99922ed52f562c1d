"""How far the regret on one task may lie from what another set of checkpoints would give: a model, not a bootstrap.

Regret hangs on the one or two best of a dozen checkpoints. Drawing checkpoints with replacement leaves those out or
doubles them, and gives intervals that hold the expected regret far too rarely (benchmarks/ranking_calibration.py). Here
target and proxy are taken as bivariate normal; what is uncertain is their correlation and the spread of the target.
"""

import functools
import math
from collections.abc import Sequence

import numpy as np

from mmbnft.ranking.resampling import percentile
from mmbnft.ranking.shortlists import shortlists
from mmbnft.ranking.statistics import Array, kendall

# Fewer checkpoints than this leave the correlation without a standard error.
FEWEST = 5
# Fisher's z of the correlations at which the expected regret is tabulated.
_GRID = np.linspace(-3, 3, 41)
_SIMULATED = 4000
_SEED = 0


def regret_intervals(
    proxy: Array, target: Array, lengths: Sequence[int], rng: np.random.Generator, draws: int
) -> list[tuple[float, float]]:
    """The 95 % interval of the expected regret for other checkpoints of the same population.

    The correlation of the normal model is sin(pi tau / 2), which outliers do not move; its Fisher z is drawn with the
    standard error of Fieller, Hartley & Pearson (1957) and Student's t, the target's deviation from its posterior.

    Args:
        proxy: (n,) values; constant ones stand for an order at random.
        target: (n,) target values, percent.
        lengths: Every k, the length of a shortlist.
        rng: Source of the draws.
        draws: Number of draws.

    Returns:
        Lower and upper end per k, in points; NaN with fewer than `FEWEST` checkpoints, no more than k, or a constant
        target.
    """
    n = len(target)
    if n < FEWEST or not np.ptp(target) > 0:
        return [(math.nan, math.nan)] * len(lengths)
    z = np.zeros(draws)
    if np.ptp(proxy) > 0:
        r = math.sin(math.pi / 2 * float(kendall(proxy, target)))
        error = math.sqrt(0.437 / (n - 4)) * math.pi / 2
        z = math.atanh(np.clip(r, -0.999, 0.999)) + error * rng.standard_t(n - 3, draws)
    deviation = target.std(ddof=1) * np.sqrt((n - 1) / rng.chisquare(n - 1, draws))
    table = _expected(n, tuple(lengths))
    return [
        percentile(deviation * np.interp(z, _GRID, column)) if k < n else (math.nan, math.nan)
        for k, column in zip(lengths, table, strict=True)
    ]


@functools.lru_cache(maxsize=64)
def _expected(n: int, lengths: tuple[int, ...]) -> Array:
    """(lengths, grid) expected regret of n checkpoints, in deviations of the target, by correlation."""
    rng = np.random.default_rng(_SEED)
    target, noise = rng.normal(size=(2, _SIMULATED, n))
    everyone = np.broadcast_to(np.arange(n), target.shape)
    found = []
    for rho in np.tanh(_GRID):
        proxy = rho * target + math.sqrt(1 - rho**2) * noise
        regret = shortlists(proxy, target, everyone, lengths, rng)[0]
        found.append([row.mean() for row in regret])
    return np.array(found).T
