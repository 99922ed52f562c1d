"""What learning curves tell: how soon a run is as good as it gets, and whether a quantity goes with a gain."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmbnft.ranking.resampling import percentile, summary
from mmbnft.ranking.statistics import Array, spearman

RESAMPLES = 2000
FEWEST = 4  # runs, below which a rank correlation says nothing


def epochs_to(curve: Sequence[Mapping[str, Any]], level: float) -> int | None:
    """Epochs, counted over all phases, until val first reaches a level in percent; None where it never does.

    Args:
        curve: Entries of a result's `curve`; those without `val` count as epochs.
        level: In percent.
    """
    return next((n for n, entry in enumerate(curve, 1) if entry.get("val") is not None and entry["val"] >= level), None)


def rank_correlation(quantity: Array, gain: Array, seed: int = 0) -> dict[str, float]:
    """Spearman's correlation with its 95 % interval by resampling runs.

    Args:
        quantity: (n,) of each run.
        gain: (n,) of the same runs.
        seed: Of the resamples.

    Returns:
        `rho`, `low`, `high` and `n`; NaN where there are fewer than `FEWEST` runs or a side is constant.
    """
    known = np.isfinite(quantity) & np.isfinite(gain)
    quantity, gain, n = quantity[known], gain[known], int(known.sum())
    if n < FEWEST:
        return {"rho": float("nan"), "low": float("nan"), "high": float("nan"), "n": n}
    rho = float(spearman(quantity, gain))
    drawn = np.random.default_rng(seed).integers(0, n, (RESAMPLES, n))
    low, high = summary(spearman(quantity[drawn], gain[drawn]), percentile, rho)
    return {"rho": rho, "low": low, "high": high, "n": n}
