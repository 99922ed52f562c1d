"""What picking by a proxy costs: regret in points of the target, recall of the best, share of the best reached."""

import numpy as np
import pandas as pd

from mmbnft.ranking.bootstrap import Bootstrap, Cell
from mmbnft.ranking.correlations import MEAN, Cells, mean_over_tasks
from mmbnft.ranking.regret import regret_intervals
from mmbnft.ranking.resampling import checkpoint_draws, summary
from mmbnft.ranking.shortlists import shortlists
from mmbnft.ranking.statistics import Array
from mmbnft.ranking.table import FEWEST_CHECKPOINTS

COLUMNS = ("task", "proxy", "k", "regret", "regret_ci_low", "regret_ci_high", "recall", "rel")
DETAILS = (*COLUMNS, "n")
SHORTLISTS = (1, 3, 5)
# A tie in the proxy is broken at random this often and averaged.
_TIE_BREAKS = 1000


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
            points, _, spans = found[task]
            rows.append((task, proxy, k, points[0, i], *_holding(points[0, i], spans[i]), *points[1:, i], cell.n))
        if usable:
            regret, recall, rel = np.mean([found[task][0][:, i] for task in usable], axis=0)
            boot = mean_over_tasks([found[task][1][i] for task in usable], bootstrap.generator(3))
            interval = summary(boot, value=regret) if len(usable) > 1 else _holding(regret, found[usable[0]][2][i])
            rows.append((MEAN, proxy, k, regret, *interval, recall, rel, sum(cells[task].n for task in usable)))
    return rows


def _holding(value: float, span: tuple[float, float]) -> tuple[float, float]:
    """The interval, widened to hold its estimate; NaN stays NaN."""
    low, high = span
    return min(low, value) if low == low else low, max(high, value) if high == high else high


def _task(bootstrap: Bootstrap, cell: Cell, at_random: bool) -> tuple[Array, Array, list[tuple[float, float]]]:
    """(3, lengths) regret, recall and rel, (lengths, resamples) resampled regret, and an interval per length."""
    rng = bootstrap.generator(5)
    everyone = np.arange(cell.n)[None].repeat(_TIE_BREAKS, axis=0)
    proxy, drawn = (0 * cell.proxy, 0 * cell.drawn_proxy) if at_random else (cell.proxy, cell.drawn_proxy)
    tied = len(np.unique(proxy)) < cell.n
    rows = everyone if tied else everyone[:1]
    sample, truth = (np.broadcast_to(values, rows.shape) for values in (proxy, cell.target))
    points = np.mean(shortlists(sample, truth, rows, SHORTLISTS, rng), axis=-1)
    draws = checkpoint_draws(bootstrap.uniform, cell.n)
    spans = regret_intervals(proxy, cell.target, SHORTLISTS, bootstrap.generator(9), bootstrap.resamples)
    return points, shortlists(drawn, cell.drawn_target, draws, SHORTLISTS, rng)[0], spans
