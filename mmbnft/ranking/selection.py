"""What picking by a proxy costs: regret in points of the target, recall of the best, share of the best reached."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mmbnft.ranking.bootstrap import Bootstrap, Cell
from mmbnft.ranking.correlations import MEAN, Cells, mean_over_tasks
from mmbnft.ranking.resampling import Draws, checkpoint_draws, summary
from mmbnft.ranking.statistics import Array
from mmbnft.ranking.table import FEWEST_CHECKPOINTS

COLUMNS = ("task", "proxy", "k", "regret", "regret_ci_low", "regret_ci_high", "recall", "rel")
DETAILS = (*COLUMNS, "n")
SHORTLISTS = (1, 3, 5)
# A tie in the proxy is broken at random this often and averaged.
_TIE_BREAKS = 1000


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


def selection_table(bootstrap: Bootstrap, cells: Cells, random_name: str) -> pd.DataFrame:
    """One row per (task, proxy, k), then the mean over tasks; columns `DETAILS`.

    Args:
        bootstrap: The shared resamples.
        cells: Every (task, proxy).
        random_name: Name under which the ranker that orders at random is listed.
    """
    proxies = list(dict.fromkeys(proxy for _, proxy in cells))
    rows: list[tuple[object, ...]] = []
    for proxy in [*proxies, random_name]:
        at_random = proxy == random_name
        mine = {task: cell for (task, name), cell in cells.items() if name == (proxies[0] if at_random else proxy)}
        rows += _rows(bootstrap, proxy, mine, at_random)
    return pd.DataFrame(rows, columns=list(DETAILS))


def _rows(bootstrap: Bootstrap, proxy: str, cells: dict[str, Cell], at_random: bool) -> list[tuple[object, ...]]:
    found = {t: _task(bootstrap, cell, at_random) for t, cell in cells.items() if cell.n >= FEWEST_CHECKPOINTS}
    rows: list[tuple[object, ...]] = []
    for i, k in enumerate(SHORTLISTS):
        usable = [task for task in found if cells[task].n > k]
        for task, cell in cells.items():
            if task not in usable:
                rows.append((task, proxy, k, *[np.nan] * 5, cell.n))
                continue
            points, boots = found[task]
            rows.append((task, proxy, k, points[0, i], *summary(boots[i]), points[1, i], points[2, i], cell.n))
        if usable:
            regret, recall, rel = np.mean([found[task][0][:, i] for task in usable], axis=0)
            interval = summary(mean_over_tasks([found[task][1][i] for task in usable], bootstrap.generator(3)))
            rows.append((MEAN, proxy, k, regret, *interval, recall, rel, sum(cells[task].n for task in usable)))
    return rows


def _task(bootstrap: Bootstrap, cell: Cell, at_random: bool) -> tuple[Array, Array]:
    """(3, lengths) regret, recall and rel of the sample, and (lengths, resamples) regret of the resamples."""
    rng = bootstrap.generator(5)
    everyone = np.arange(cell.n)[None].repeat(_TIE_BREAKS, axis=0)
    proxy, drawn = (0 * cell.proxy, 0 * cell.drawn_proxy) if at_random else (cell.proxy, cell.drawn_proxy)
    tied = len(np.unique(proxy)) < cell.n
    rows = everyone if tied else everyone[:1]
    sample, truth = (np.broadcast_to(values, rows.shape) for values in (proxy, cell.target))
    points = np.mean(shortlists(sample, truth, rows, SHORTLISTS, rng), axis=-1)
    draws = checkpoint_draws(bootstrap.uniform, cell.n)
    return points, shortlists(drawn, cell.drawn_target, draws, SHORTLISTS, rng)[0]
