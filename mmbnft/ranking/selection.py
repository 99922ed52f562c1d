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


def shortlist(
    proxy: Array, target: Array, checkpoints: Draws, k: int, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """What the best of the proxy's top k loses against the best there is (Rel@k and Recall@k as in Li et al. 2021).

    Args:
        proxy: (rows, n) values; equal ones are ordered at random.
        target: (rows, n) target values, percent.
        checkpoints: (rows, n) which checkpoint each value belongs to; one drawn twice fills one place of the list.
        k: Length of the shortlist.
        rng: Source of the random order of ties.

    Returns:
        Each is NaN where a row has no more than k different checkpoints.
        regret: (rows,) best target minus best target of the shortlist, points.
        recall: (rows,) 1 if the best checkpoint is on the shortlist, else 0.
        rel: (rows,) best target of the shortlist over best target.
    """
    order = np.lexsort((rng.random(proxy.shape), -proxy), axis=-1)
    ranked = np.take_along_axis(checkpoints, order, axis=-1)
    n = proxy.shape[-1]
    seen = ((ranked[..., :, None] == ranked[..., None, :]) & np.tri(n, k=-1, dtype=bool)).any(axis=-1)
    listed = np.cumsum(~seen, axis=-1) <= k
    gain = np.take_along_axis(target, order, axis=-1)
    best, reached = gain.max(axis=-1), np.where(listed, gain, -np.inf).max(axis=-1)
    rel = np.divide(reached, best, out=np.full_like(best, np.nan), where=best > 0)
    # A pool no longer than the shortlist always holds its best: nothing is chosen, so nothing is measured.
    pool = np.where((~seen).sum(axis=-1) > k, 1.0, np.nan)
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
        for k in SHORTLISTS:
            rows += _rows(bootstrap, proxy, mine, k, at_random)
    return pd.DataFrame(rows, columns=list(DETAILS))


def _rows(
    bootstrap: Bootstrap, proxy: str, cells: dict[str, Cell], k: int, at_random: bool
) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    points, boots, total = [], [], 0
    for task, cell in cells.items():
        if cell.n < FEWEST_CHECKPOINTS or k >= cell.n:
            rows.append((task, proxy, k, *[np.nan] * 5, cell.n))
            continue
        point, boot = _task(bootstrap, cell, k, at_random)
        points.append(point)
        boots.append(boot)
        total += cell.n
        rows.append((task, proxy, k, point[0], *summary(boot), point[1], point[2], cell.n))
    if points:
        mean = np.mean(points, axis=0)
        interval = summary(mean_over_tasks(boots, bootstrap.generator(3)))
        rows.append((MEAN, proxy, k, mean[0], *interval, mean[1], mean[2], total))
    return rows


def _task(bootstrap: Bootstrap, cell: Cell, k: int, at_random: bool) -> tuple[Sequence[float], Array]:
    rng = bootstrap.generator(5, k)
    everyone = np.arange(cell.n)[None].repeat(_TIE_BREAKS, axis=0)
    proxy, drawn = (0 * cell.proxy, 0 * cell.drawn_proxy) if at_random else (cell.proxy, cell.drawn_proxy)
    tied = len(np.unique(proxy)) < cell.n
    rows = everyone if tied else everyone[:1]
    found = shortlist(np.broadcast_to(proxy, rows.shape), np.broadcast_to(cell.target, rows.shape), rows, k, rng)
    draws = checkpoint_draws(bootstrap.uniform, cell.n)
    return [float(np.mean(f)) for f in found], shortlist(drawn, cell.drawn_target, draws, k, rng)[0]
