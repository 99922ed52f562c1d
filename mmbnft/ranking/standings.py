"""The table of rankings: every checkpoint under every proxy and under the target, with what is sure about its place."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from mmbnft.ranking import tiers
from mmbnft.ranking.bootstrap import Bootstrap
from mmbnft.ranking.correlations import MEAN
from mmbnft.ranking.image_noise import GROUPS
from mmbnft.ranking.statistics import Array, midranks
from mmbnft.ranking.table import FEWEST_CHECKPOINTS, ScoreTable, TaskScores

COLUMNS = ("task", "checkpoint", "proxy", "value", "rank", "rank_low", "rank_high", "p_best", "tier", "spread")
# Fewer tasks than this give neither a bootstrap over tasks nor Friedman's test any meaning.
FEWEST_TASKS = 3

Rows = list[tuple[object, ...]]


def standings_table(bootstrap: Bootstrap, protocols: Sequence[str]) -> pd.DataFrame:
    """One row per (task, checkpoint, proxy), then over tasks; columns `COLUMNS`.

    Within a task the uncertainty is that of another set of repeats. With one run per cell it is that of another set of
    test images, and where no predictions were kept there is a rank but no interval, chance or tier. Over tasks (`value`
    is the mean rank) it is that of another set of tasks, with Nemenyi's critical difference for the tiers. `spread` is
    the standard deviation of the repeats, or what the table states beside a value.
    """
    rows: Rows = []
    for protocol in protocols:
        for task in bootstrap.table.tasks:
            rows += _task_rows(bootstrap, task, protocol)
        rows += _overall_rows(bootstrap, protocol)
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype({"tier": "Int64"})


def critical_differences(table: ScoreTable, protocols: Sequence[str]) -> dict[str, dict[str, object]]:
    """Friedman and Nemenyi per protocol, with the checkpoints they hold for."""
    found: dict[str, dict[str, object]] = {}
    for protocol in protocols:
        names, values = _common(table, protocol)
        if len(values) >= FEWEST_TASKS and len(names) >= FEWEST_CHECKPOINTS:
            result = tiers.critical_difference(values)
            found[protocol] = {
                "friedman_p": result.p_value,
                "critical_difference": result.difference,
                "tasks": result.tasks,
                "mean_ranks": dict(zip(names, result.mean_ranks.tolist(), strict=True)),
            }
    return found


def _task_rows(bootstrap: Bootstrap, task: TaskScores, protocol: str) -> Rows:
    rows = task.complete([protocol])
    missing = (*[np.nan] * 5, None, np.nan)
    if not len(rows):
        return [(task.name, name, protocol, *missing) for name in task.checkpoints]
    values, spread = task.means(protocol)[rows], task.spread(protocol)[rows]
    ranks, sample = midranks(values), _sample(task, protocol, rows)
    blank = np.full(len(rows), np.nan)
    places, tier = (blank, blank, blank), [None] * len(rows)
    if sample is not None and len(rows) >= 2:
        rng = bootstrap.generator(6, *f"{task.name}/{protocol}".encode())
        found = tiers.tukey_tiers(sample)
        draws = tiers.likely_values(sample, found == 1, bootstrap.resamples, rng)
        places, tier = tiers.standings(draws, ranks), found.tolist()
    by_row = {
        int(row): (values[i], ranks[i], *(float(column[i]) for column in places), tier[i], spread[i])
        for i, row in enumerate(rows)
    }
    return [(task.name, name, protocol, *by_row.get(i, missing)) for i, name in enumerate(task.checkpoints)]


def _sample(task: TaskScores, protocol: str, rows: npt.NDArray[np.intp]) -> tiers.Repeated | None:
    """What tells how sure the values of some checkpoints are: their repeats, or else their test images."""
    found = tiers.repeated(task.repeats[protocol][rows], protocol in task.aligned)
    if found is not None or protocol not in task.errors:
        return found
    errors = task.errors[protocol][rows]
    return tiers.measured_once(task.means(protocol)[rows], errors, (len(rows) - 1) * (GROUPS - 1))


def _overall_rows(bootstrap: Bootstrap, protocol: str) -> Rows:
    """Rows over tasks, for the checkpoints that have a value on every task with the protocol."""
    names, values = _common(bootstrap.table, protocol)
    if len(values) < FEWEST_TASKS or len(names) < FEWEST_CHECKPOINTS:
        return []
    result = tiers.critical_difference(values)
    tier = tiers.nemenyi_tiers(result)
    overall = midranks(-result.mean_ranks)
    # Tasks stand in for repeats: the ranks of one task are one column, the same for all checkpoints.
    sample = tiers.repeated(-midranks(values).T, aligned=True)
    assert sample is not None  # there are `FEWEST_TASKS` tasks or more
    draws = tiers.likely_values(sample, tier == 1, bootstrap.resamples, bootstrap.generator(7))
    low, high, best = tiers.standings(draws, overall)
    return [
        (MEAN, name, protocol, result.mean_ranks[i], overall[i], low[i], high[i], best[i], int(tier[i]), np.nan)
        for i, name in enumerate(names)
    ]


def _common(table: ScoreTable, protocol: str) -> tuple[list[str], Array]:
    """Checkpoints with a value on every task that has the protocol, and those values (tasks, n)."""
    columns = [dict(zip(t.checkpoints, t.means(protocol), strict=True)) for t in table.tasks]
    columns = [column for column in columns if np.isfinite(list(column.values())).any()]
    names = [name for name in table.checkpoints if all(np.isfinite(c.get(name, np.nan)) for c in columns)]
    return names, np.array([[column[name] for name in names] for column in columns])
