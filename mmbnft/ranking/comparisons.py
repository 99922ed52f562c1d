"""The table of comparisons: proxy against proxy, and proxy against control, on the same checkpoints."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from mmbnft.ranking import comparison
from mmbnft.ranking.bootstrap import Bootstrap, Cell
from mmbnft.ranking.correlations import MEAN, Cells, mean_over_tasks
from mmbnft.ranking.resampling import summary
from mmbnft.ranking.statistics import STATISTICS, Array, correlations, midranks, pearson
from mmbnft.ranking.table import FEWEST_CHECKPOINTS, TaskScores

COLUMNS = (
    "task",
    "proxy_a",
    "proxy_b",
    "statistic",
    "difference",
    "ci_low",
    "ci_high",
    "p_value",
    "p_adjusted",
    "verdict",
)
DETAILS = (*COLUMNS, "n", "family")


class PairTest:
    """Compares two proxies on every task, with the swaps of checkpoints shared between the tasks.

    Args:
        bootstrap: The shared resamples.
        cells: Every (task, proxy).
    """

    def __init__(self, bootstrap: Bootstrap, cells: Cells) -> None:
        self.bootstrap = bootstrap
        self.cells = cells
        names = bootstrap.table.checkpoints
        self.position = {name: i for i, name in enumerate(names)}
        self.swaps = comparison.swaps(len(names), bootstrap.generator(4), bootstrap.resamples)

    def rows(self, first: str, second: str, family: str) -> list[tuple[object, ...]]:
        """Rows with the columns of `DETAILS`, without adjustment: `p_adjusted` and `verdict` are still empty.

        Args:
            first: Name of a proxy.
            second: Name of another.
            family: `proxies` or `controls`: what the p-values are adjusted among.
        """
        pairs = [(self._cell(task, first, second), self._cell(task, second, first)) for task in self._tasks()]
        swapped_pairs = [self._swapped(a, b) for a, b in pairs]
        rows: list[tuple[object, ...]] = []
        for statistic in STATISTICS:
            differences = [swapped[statistic] for swapped in swapped_pairs]
            for task, (a, b), swapped in zip(self._tasks(), pairs, differences, strict=True):
                figures = self._one_task(statistic, a, b, swapped)
                rows.append((task.name, first, second, statistic, *figures, math.nan, "", a.n, family))
            figures = self._mean(statistic, pairs, differences)
            n = sum(a.n for (a, _), swapped in zip(pairs, differences, strict=True) if not math.isnan(swapped[0]))
            rows.append((MEAN, first, second, statistic, *figures, math.nan, "", n, family))
        return rows

    def _tasks(self) -> Sequence[TaskScores]:
        return self.bootstrap.table.tasks

    def _cell(self, task: TaskScores, proxy: str, other: str) -> Cell:
        """The cell on the checkpoints that both proxies have."""
        cell = self.cells[task.name, proxy]
        both = task.complete([proxy, other, self.bootstrap.table.target])
        return cell if cell.n == len(both) else self.bootstrap.cell(task, proxy, (other,))

    def _swapped(self, a: Cell, b: Cell) -> dict[str, Array]:
        """Per statistic (swaps,) differences, all NaN where one of the two has no value."""
        if a.n < FEWEST_CHECKPOINTS:
            return dict.fromkeys(STATISTICS, np.full(len(self.swaps), np.nan))
        swap: npt.NDArray[np.bool_] = self.swaps[:, [self.position[name] for name in a.checkpoints]]
        ranked, standardised = (
            comparison.swapped_differences(statistic, scale(a.proxy), scale(b.proxy), a.target, swap)
            for statistic, scale in ((correlations, _ranked), (pearson, _standardised))
        )
        found = {**dict(zip(STATISTICS, ranked, strict=True)), "pearson": standardised}
        return {name: values + 0 * (a.values[name] + b.values[name]) for name, values in found.items()}

    def _one_task(self, statistic: str, a: Cell, b: Cell, swapped: Array) -> tuple[float, float, float, float]:
        difference = a.values[statistic] - b.values[statistic]
        if math.isnan(difference):
            return math.nan, math.nan, math.nan, math.nan
        if statistic == "pearson":
            interval = comparison.zou_interval(a.proxy, b.proxy, a.target)
            return difference, *interval, comparison.williams_p(a.proxy, b.proxy, a.target)
        return difference, *_interval_and_p(difference, a.boot[statistic] - b.boot[statistic], swapped)

    def _mean(
        self, statistic: str, pairs: Sequence[tuple[Cell, Cell]], swapped: Sequence[Array]
    ) -> tuple[float, float, float, float]:
        known = [i for i, values in enumerate(swapped) if not math.isnan(values[0])]
        if not known:
            return math.nan, math.nan, math.nan, math.nan
        difference = float(np.mean([swapped[i][0] for i in known]))
        boots = [pairs[i][0].boot[statistic] - pairs[i][1].boot[statistic] for i in known]
        boot = mean_over_tasks(boots, self.bootstrap.generator(3))
        return difference, *_interval_and_p(difference, boot, np.mean([swapped[i] for i in known], axis=0))


def comparison_table(
    bootstrap: Bootstrap, cells: Cells, proxies: Sequence[str], controls: Sequence[str]
) -> pd.DataFrame:
    """Every pair of proxies and every proxy against every control; columns `DETAILS`.

    Holm's adjustment runs over the pairs of one task and statistic, separately for proxies and for controls.

    Args:
        bootstrap: Table and resamples.
        cells: Samples by task, proxy and what it is compared with.
        proxies: Names.
        controls: Names.
    """
    test = PairTest(bootstrap, cells)
    rows = [row for a, b in itertools.combinations(proxies, 2) for row in test.rows(a, b, "proxies")]
    rows += [row for a in proxies for b in controls for row in test.rows(a, b, "controls")]
    table = pd.DataFrame(rows, columns=list(DETAILS))
    for _, part in table.groupby(["task", "statistic", "family"], sort=False):
        table.loc[part.index, "p_adjusted"] = comparison.holm(part["p_value"].tolist())
    figures = table[["difference", "ci_low", "ci_high", "p_adjusted"]].itertuples(index=False)
    table["verdict"] = [comparison.verdict(*(float(x) for x in row)) for row in figures]
    return table


def _interval_and_p(difference: float, boot: Array, swapped: Array) -> tuple[float, float, float]:
    """Paired bootstrap interval and the larger of the two p-values.

    Exchanging ranks one checkpoint at a time is only nearly exact and alone rejects a little too often at n = 12;
    asking that the bootstrap agrees keeps true nulls below 6 % (benchmarks/ranking_calibration.py).
    """
    return *summary(boot, value=difference), max(comparison.swap_p(swapped), comparison.bootstrap_p(boot))


def _ranked(values: Array) -> Array:
    return -midranks(values)


def _standardised(values: Array) -> Array:
    return (values - values.mean()) / (values.std() or 1.0)
