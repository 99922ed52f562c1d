"""The best of a proxy's first k, on whole batches of orders at once."""

from collections.abc import Sequence

import numpy as np

from mmbnft.ranking.resampling import Draws
from mmbnft.ranking.statistics import Array


def shortlists(
    proxy: Array, target: Array, checkpoints: Draws, lengths: Sequence[int], rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """What the best of the proxy's top k loses against the best there is (Rel@k and Recall@k as in Li et al. 2021).

    Args:
        proxy: (rows, n) values; equal ones are ordered at random.
        target: (rows, n) target values, percent.
        checkpoints: (rows, n) which checkpoint each value belongs to; one drawn twice fills one place of the list.
        lengths: Every k, the length of a shortlist.
        rng: Source of the random order of ties.

    Returns:
        One row per k; NaN where a pool has no more than k different checkpoints.
        regret: (lengths, rows) best target minus best target of the shortlist, points.
        recall: (lengths, rows) 1 if the best checkpoint is on the shortlist, else 0.
        rel: (lengths, rows) best target of the shortlist over best target.
    """
    order = np.lexsort((rng.random(proxy.shape), -proxy), axis=-1)
    # Places first: the arithmetic below then runs along all rows at once.
    ranked, gain = (np.ascontiguousarray(np.take_along_axis(x, order, axis=-1).T) for x in (checkpoints, target))
    new = np.array([(ranked[:place] != ranked[place]).all(axis=0) for place in range(len(ranked))])
    listed = np.cumsum(new, axis=0)
    best = gain.max(axis=0)
    reached = np.array([np.where(listed <= k, gain, -np.inf).max(axis=0) for k in lengths])
    rel = np.divide(reached, best, out=np.full_like(reached, np.nan), where=best > 0)
    # A pool no longer than the shortlist always holds its best: nothing is chosen, so nothing is measured.
    pool = np.where(listed[-1] > np.array(lengths)[:, None], 1.0, np.nan)
    return pool * (best - reached), pool * (reached == best), pool * rel
