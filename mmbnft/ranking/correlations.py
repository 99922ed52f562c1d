"""The table of correlations: every proxy with the target, per task and over tasks."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from mmbnft.ranking.bootstrap import Bootstrap, Cell
from mmbnft.ranking.controls import RANDOM, random_bands
from mmbnft.ranking.pooled import drawn_tasks, moments, pooled_correlation, two_way, within_task_moments
from mmbnft.ranking.resampling import MOST_UNDEFINED, bca, interval, percentile, permutation_p, summary
from mmbnft.ranking.statistics import STATISTICS, Array, correlations
from mmbnft.ranking.table import FEWEST_CHECKPOINTS

COLUMNS = ("task", "proxy", "target", "statistic", "value", "ci_low", "ci_high", "n")
DETAILS = (*COLUMNS, "percentile_low", "percentile_high", "bca_low", "bca_high", "p_value", "note")
# Names in the column `task` for figures over several tasks.
MEAN, WITHIN, NAIVE = "all tasks (mean)", "all tasks (within task, logit)", "all tasks (pooled, misleading)"
OVERALL = (MEAN, WITHIN, NAIVE)

Cells = Mapping[tuple[str, str], Cell]


def resampled_cells(bootstrap: Bootstrap, proxies: Iterable[str]) -> dict[tuple[str, str], Cell]:
    """Resample every (task, proxy)."""
    tasks = bootstrap.table.tasks
    return {(task.name, proxy): bootstrap.cell(task, proxy) for task in tasks for proxy in proxies}


def correlation_table(bootstrap: Bootstrap, cells: Cells) -> pd.DataFrame:
    """One row per (task, proxy, statistic), then the figures over tasks; columns `DETAILS`.

    A figure that does not exist is an empty `value` with its true n and a `note`, never a missing row.
    """
    target = bootstrap.table.target
    rows = [
        (task, proxy, target, *rest)
        for (task, proxy), cell in cells.items()
        for rest in _rows(cell, bootstrap.generator(2, *f"{task}/{proxy}".encode()), bootstrap.resamples)
    ]
    for proxy in dict.fromkeys(proxy for _, proxy in cells):
        mine = [cell for (_, name), cell in cells.items() if name == proxy]
        rows += [(task, proxy, target, *rest) for task, *rest in _over_tasks(bootstrap, proxy, mine)]
    return pd.DataFrame(rows, columns=list(DETAILS))


def random_rows(bootstrap: Bootstrap, cells: Cells) -> pd.DataFrame:
    """The ranker that orders at random: expected value 0, and as interval the band that holds 95 % of its orders."""
    target = bootstrap.table.target
    largest = {task: max(cell.n for (name, _), cell in cells.items() if name == task) for task, _ in cells}
    bands = {
        n: random_bands(n, bootstrap.resamples, bootstrap.generator(8, n))
        for n in set(largest.values())
        if n >= FEWEST_CHECKPOINTS
    }
    rows = []
    for task, n in largest.items():
        for name in STATISTICS:
            figures = (0.0, *bands[n][name]) if n in bands else (math.nan,) * 3
            rows.append((task, RANDOM, target, name, *figures, n, *[math.nan] * 5, "band of random orders"))
    return pd.DataFrame(rows, columns=list(DETAILS))


def _rows(cell: Cell, rng: np.random.Generator, resamples: int) -> list[tuple[object, ...]]:
    """Rows (statistic, value, ...) of one task and proxy."""
    if all(math.isnan(value) for value in cell.values.values()):
        return [(name, *[math.nan] * 3, cell.n, *[math.nan] * 5, _why(cell)) for name in STATISTICS]
    p_values = permutation_p(correlations, cell.proxy, cell.target, rng, resamples).tolist()
    return [(name, *_figures(cell, name, p)) for name, p in zip(STATISTICS, p_values, strict=True)]


def _figures(cell: Cell, name: str, p_value: float) -> tuple[object, ...]:
    value, boot, left_out = cell.values[name], cell.boot[name], cell.left_out[name]
    if math.isnan(value):
        return (*[math.nan] * 3, cell.n, *[math.nan] * 5, _why(cell))
    low, high = interval(name, value, boot, left_out)
    others = summary(boot, value=value), summary(boot, lambda known: bca(known, value, left_out), value)
    note = "" if math.isfinite(low) else no_interval(boot)
    return value, low, high, cell.n, *others[0], *others[1], p_value, note


def no_interval(boot: Array) -> str:
    """Why `summary` gives no interval for these resamples."""
    if np.mean(~np.isfinite(boot)) > MOST_UNDEFINED:
        return "too few checkpoints for an interval"
    return "no interval: every resample gives the same value"


def _why(cell: Cell) -> str:
    if cell.n < 3:
        return f"only {cell.n} checkpoints have both values"
    return "one side is constant: no correlation"


def _over_tasks(bootstrap: Bootstrap, proxy: str, cells: Sequence[Cell]) -> list[tuple[object, ...]]:
    """Rows (task, statistic, value, ...) of the figures over tasks."""
    rows: list[tuple[object, ...]] = []
    rng = bootstrap.generator(3)
    for name in STATISTICS:
        values = np.array([cell.values[name] for cell in cells])
        known = [cell for cell, value in zip(cells, values, strict=True) if math.isfinite(value)]
        value = float(np.mean(values[np.isfinite(values)])) if known else math.nan
        boot = mean_over_tasks([cell.boot[name] for cell in known], rng)
        gap = f"{len(cells) - len(known)} of {len(cells)} tasks have no value" if len(known) < len(cells) else ""
        rows.append((MEAN, name, value, *summary(boot, value=value), sum(c.n for c in known), *[math.nan] * 5, gap))
    return rows + _pooled_rows(bootstrap, proxy, cells)


def mean_over_tasks(boots: Sequence[Array], rng: np.random.Generator) -> Array:
    """(resamples,) means over drawn tasks of one (resamples,) array per task: the two-way bootstrap."""
    if not boots:
        return np.empty(0)
    drawn = drawn_tasks(boots, two_way(boots, rng))
    known = np.isfinite(drawn)
    # A task whose resample is degenerate is left out of that resample's mean, as it would be left out of a table.
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, drawn, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)


def _pooled_rows(bootstrap: Bootstrap, proxy: str, cells: Sequence[Cell]) -> list[tuple[object, ...]]:
    usable = [cell for cell in cells if cell.n >= 3]
    blank = [math.nan] * 5
    if proxy not in bootstrap.table.bounded or not usable:
        note = "needs a proxy in percent" if usable else "no task has three checkpoints with both values"
        n = sum(cell.n for cell in usable)
        return [(task, "pearson", math.nan, math.nan, math.nan, n, *blank, note) for task in (WITHIN, NAIVE)]
    rows: list[tuple[object, ...]] = []
    draws = two_way([cell.boot["pearson"] for cell in usable], bootstrap.generator(3))
    for task, sums in ((WITHIN, within_task_moments), (NAIVE, moments)):
        value = float(pooled_correlation([sums(cell.proxy, cell.target) for cell in usable]))
        boots = [sums(cell.drawn_proxy, cell.drawn_target) for cell in usable]
        low, high = summary(pooled_correlation(drawn_tasks(boots, draws)), percentile, value)
        rows.append((task, "pearson", value, low, high, sum(cell.n for cell in usable), *blank, ""))
    return rows
