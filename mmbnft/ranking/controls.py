"""Control rankers: orders that cost nothing. A proxy that does not beat them is not worth its seconds."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmbnft.ranking.names import identities
from mmbnft.ranking.statistics import STATISTICS, Array, correlations, midranks
from mmbnft.ranking.table import ScoreTable, TaskScores

# What tells a control from a proxy in every table.
CONTROL = "control: "
OTHER_TASKS, IMAGENET = "control: other tasks", "control: ImageNet linear"
PARAMETERS, MULTIPLY_ADDS = "control: number of parameters", "control: multiply-adds"
RANDOM = "control: random"


@dataclass(frozen=True)
class Facts:
    """What is known of checkpoints beyond this table.

    Attributes:
        aliases: Any spelling of a checkpoint to its name.
        imagenet_linear_top1: Name to published ImageNet linear top-1, percent.
        parameters: Name to number of parameters.
        multiply_adds: Name to multiply-adds of one image's way through its network.
        networks: Name to what results say of its network: `name`, `parameters`, `multiply_adds`, `norms`.
    """

    aliases: Mapping[str, str] = dataclasses.field(default_factory=dict)
    imagenet_linear_top1: Mapping[str, float] = dataclasses.field(default_factory=dict)
    parameters: Mapping[str, float] = dataclasses.field(default_factory=dict)
    multiply_adds: Mapping[str, float] = dataclasses.field(default_factory=dict)
    networks: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)

    def of(self, checkpoints: Sequence[str]) -> "Facts":
        """The same figures by the names that a table uses, as far as these name one entry each."""
        entries = identities(checkpoints, self.aliases)
        return dataclasses.replace(
            self,
            imagenet_linear_top1=_renamed(self.imagenet_linear_top1, entries),
            parameters=_renamed(self.parameters, entries),
        )


def with_controls(table: ScoreTable, facts: Facts) -> tuple[ScoreTable, tuple[str, ...]]:
    """Add the control rankers to every task as if they were protocols, and name the ones that are known.

    A control whose figures are missing for all but two checkpoints is left out; where a few are missing its own n
    says so.
    """
    facts = facts.of(table.checkpoints)
    columns = {
        IMAGENET: facts.imagenet_linear_top1,
        PARAMETERS: facts.parameters,
        MULTIPLY_ADDS: facts.multiply_adds,
    }
    tasks = []
    for task in table.tasks:
        added = {name: _column([known.get(c, np.nan) for c in task.checkpoints]) for name, known in columns.items()}
        added[OTHER_TASKS] = _column(other_tasks(table, task))
        tasks.append(dataclasses.replace(task, repeats={**task.repeats, **added}))
    present = tuple(
        name for name in (OTHER_TASKS, *columns) if any(len(task.complete([name, table.target])) >= 3 for task in tasks)
    )
    return dataclasses.replace(table, tasks=tuple(tasks)), present


def other_tasks(table: ScoreTable, task: TaskScores) -> Array:
    """(n,) static order: minus the mean rank of the target over all other tasks; NaN where there is none.

    Ranks are taken as shares (rank - 1/2) / n, so tasks with different numbers of checkpoints count alike.
    """
    shares: dict[str, list[float]] = {name: [] for name in task.checkpoints}
    for other in table.tasks:
        if other.name == task.name:
            continue
        rows = other.complete([table.target])
        ranks = (midranks(other.means(table.target)[rows]) - 0.5) / max(len(rows), 1)
        for row, rank in zip(rows, ranks, strict=True):
            shares.get(other.checkpoints[row], []).append(float(rank))
    return np.array([-np.mean(found) if found else np.nan for found in shares.values()])


def random_bands(n: int, resamples: int, rng: np.random.Generator) -> dict[str, tuple[float, float]]:
    """Per statistic the central 95 % of what a random order of n checkpoints gives: the band of pure noise.

    Args:
        n: Number of checkpoints.
        resamples: Number of random orders.
        rng: Draws them.
    """
    orders = rng.permuted(np.tile(np.arange(float(n)), (resamples, 1)), axis=1)
    values = correlations(orders, np.arange(float(n)))
    low, high = np.quantile(values, [0.025, 0.975], axis=-1)
    return dict(zip(STATISTICS, zip(low.tolist(), high.tolist(), strict=True), strict=True))


def _renamed(figures: Mapping[str, float], entries: Mapping[str, str]) -> dict[str, float]:
    return {**figures, **{name: figures[entry] for name, entry in entries.items() if entry in figures}}


def _column(values: "list[float] | Array") -> Array:
    return np.asarray(values, float)[:, None]
