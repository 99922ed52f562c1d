"""All resampled correlations of a table, computed once and shared by every interval and comparison."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmbnft.ranking.resampling import checkpoint_draws, jackknife
from mmbnft.ranking.statistics import STATISTICS, Array, correlations
from mmbnft.ranking.table import FEWEST_CHECKPOINTS, ScoreTable, TaskScores


@dataclass(frozen=True)
class Cell:
    """One task and proxy: the sample and its resamples.

    Attributes:
        checkpoints: Names of the n checkpoints that have both values.
        proxy: (n,) proxy values.
        target: (n,) target values, percent.
        drawn_proxy: (resamples, n) resampled proxy values.
        drawn_target: (resamples, n) resampled target values.
        values: Per statistic the value of the sample; NaN if it is undefined or there are too few checkpoints.
        boot: Per statistic (resamples,) values.
        left_out: Per statistic (n,) values without each checkpoint in turn.
    """

    checkpoints: tuple[str, ...]
    proxy: Array
    target: Array
    drawn_proxy: Array = field(repr=False)
    drawn_target: Array = field(repr=False)
    values: Mapping[str, float]
    boot: Mapping[str, Array] = field(repr=False)
    left_out: Mapping[str, Array] = field(repr=False)

    @property
    def n(self) -> int:
        """Number of checkpoints."""
        return len(self.checkpoints)


class Bootstrap:
    """Draws that are the same for every task and proxy, so that every comparison is paired.

    Args:
        table: The values.
        resamples: Number of resamples.
        seed: Seed of all draws.
    """

    def __init__(self, table: ScoreTable, resamples: int, seed: int) -> None:
        self.table = table
        self.resamples = resamples
        self.seed = seed
        self.uniform = np.random.default_rng([seed, 0]).random((resamples, len(table.checkpoints)))

    def generator(self, *purpose: int) -> np.random.Generator:
        """A generator of its own for each purpose, so that adding a proxy never changes another's figures."""
        return np.random.default_rng([self.seed, *purpose])

    def cell(self, task: TaskScores, proxy: str, among: tuple[str, ...] = ()) -> Cell:
        """Sample and resamples of one proxy on one task, on the checkpoints that also have all of `among`.

        Args:
            task: The task's scores.
            proxy: Name of the proxy.
            among: Further protocols that a checkpoint must have to count.
        """
        needed = (proxy, self.table.target, *among)
        rows = task.complete(needed)
        names = tuple(task.checkpoints[i] for i in rows)
        if len(rows) < FEWEST_CHECKPOINTS:
            empty = np.full((self.resamples, len(rows)), np.nan)
            sample, truth = task.means(proxy)[rows], task.means(self.table.target)[rows]
            nothing = [dict.fromkeys(STATISTICS, np.full(size, np.nan)) for size in (self.resamples, len(rows))]
            return Cell(names, sample, truth, empty, empty, dict.fromkeys(STATISTICS, np.nan), *nothing)
        sample, truth = (task.means(name)[rows] for name in (proxy, self.table.target))
        draws = checkpoint_draws(self.uniform, len(rows))
        drawn, drawn_truth = sample[draws], truth[draws]
        value, boot = correlations(sample, truth), correlations(drawn, drawn_truth)
        left_out = jackknife(correlations, sample, truth)
        return Cell(names, sample, truth, drawn, drawn_truth, _named(value), _named(boot), _named(left_out))


def _named(values: Array) -> dict[str, Any]:
    """(statistics, ...) values by the name of the statistic; plain numbers where there is one each."""
    return dict(zip(STATISTICS, values if values.ndim > 1 else values.tolist(), strict=True))
