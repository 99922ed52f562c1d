"""All resampled correlations of a table, computed once and shared by every interval and comparison."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from mmbnft.ranking.resampling import checkpoint_draws, drawn_values
from mmbnft.ranking.statistics import STATISTICS, Array
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
        boot: Per statistic (resamples,) values.
    """

    checkpoints: tuple[str, ...]
    proxy: Array
    target: Array
    drawn_proxy: Array = field(repr=False)
    drawn_target: Array = field(repr=False)
    boot: Mapping[str, Array] = field(repr=False)

    @property
    def n(self) -> int:
        """Number of checkpoints."""
        return len(self.checkpoints)

    def value(self, statistic: str) -> float:
        """The statistic of the sample; NaN if it is undefined or there are too few checkpoints."""
        if self.n < FEWEST_CHECKPOINTS:
            return float("nan")
        return float(STATISTICS[statistic](self.proxy, self.target))


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

    def sample(self, task: TaskScores, protocol: str, among: tuple[str, ...]) -> tuple[Array, Array]:
        """Values of `protocol` on the checkpoints that have all of `among`: (n,) and resampled (resamples, n)."""
        rows = task.complete(among)
        draws = checkpoint_draws(self.uniform, len(rows))
        rng = self.generator(1, *_letters(task.name), 0, *_letters(protocol))
        return task.means(protocol)[rows], drawn_values(task.repeats[protocol][rows], draws, rng)

    def cell(self, task: TaskScores, proxy: str, among: tuple[str, ...] = ()) -> Cell:
        """Sample and resamples of one proxy on one task, on the checkpoints that also have all of `among`."""
        needed = (proxy, self.table.target, *among)
        rows = task.complete(needed)
        names = tuple(task.checkpoints[i] for i in rows)
        if len(rows) < FEWEST_CHECKPOINTS:
            empty = np.full((self.resamples, len(rows)), np.nan)
            boot = {name: np.full(self.resamples, np.nan) for name in STATISTICS}
            return Cell(names, task.means(proxy)[rows], task.means(self.table.target)[rows], empty, empty, boot)
        values, drawn = self.sample(task, proxy, needed)
        truth, drawn_truth = self.sample(task, self.table.target, needed)
        boot = {name: statistic(drawn, drawn_truth) for name, statistic in STATISTICS.items()}
        return Cell(names, values, truth, drawn, drawn_truth, boot)


def _letters(name: str) -> list[int]:
    return list(name.encode("utf-8"))
