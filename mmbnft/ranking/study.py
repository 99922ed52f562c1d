"""Everything one analysis found, before it is written anywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from mmbnft.ranking.bootstrap import Bootstrap
from mmbnft.ranking.comparisons import comparison_table
from mmbnft.ranking.controls import RANDOM, Facts, with_controls
from mmbnft.ranking.correlations import correlation_table, pooling_warnings, random_rows, resampled_cells
from mmbnft.ranking.cost import cheapest_sentence, cost_table
from mmbnft.ranking.selection import selection_table
from mmbnft.ranking.standings import critical_differences, standings_table
from mmbnft.ranking.table import ScoreTable
from mmbnft.ranking.verdicts import verdicts

_FEW = 15


@dataclass(frozen=True)
class Study:
    """The tables and sentences of a report.

    Attributes:
        scores: The values that were judged.
        controls: Names of the control rankers in the tables.
        correlations: One row per (task, proxy, statistic).
        comparisons: One row per (task, pair, statistic).
        selection: One row per (task, proxy, k).
        standings: One row per (task, checkpoint, proxy).
        costs: One row per proxy.
        critical_differences: Friedman and Nemenyi per protocol.
        verdicts: One sentence per task.
        cheapest: A sentence on the cheapest good proxy; empty without costs.
        warnings: One sentence each.
        seed: Seed of the resamples.
        resamples: Number of resamples.
        provenance: What is known of the results.
    """

    scores: ScoreTable
    controls: tuple[str, ...]
    correlations: pd.DataFrame
    comparisons: pd.DataFrame
    selection: pd.DataFrame
    standings: pd.DataFrame
    costs: pd.DataFrame
    critical_differences: Mapping[str, Mapping[str, object]]
    verdicts: Mapping[str, str]
    cheapest: str
    warnings: tuple[str, ...]
    seed: int
    resamples: int
    provenance: Mapping[str, Any] = field(default_factory=dict)


def study(
    table: ScoreTable,
    facts: Facts,
    seed: int,
    resamples: int,
    provenance: Mapping[str, Any],
    doubts: Sequence[str] = (),
) -> Study:
    """Judge every proxy of `table` and every control; pure computation, nothing is written.

    Args:
        table: The checked values.
        facts: What the control rankers may know.
        seed: Seed of every resample.
        resamples: Number of resamples.
        provenance: What is known of the results.
        doubts: Further warnings to show.
    """
    with_added, controls = with_controls(table, facts)
    bootstrap = Bootstrap(with_added, resamples, seed)
    cells = resampled_cells(bootstrap, (*table.proxies, *controls))
    correlations = correlation_table(bootstrap, cells)
    correlations = pd.concat([correlations, random_rows(bootstrap, cells)], ignore_index=True)
    comparisons = comparison_table(bootstrap, cells, table.proxies, controls)
    costs = cost_table(table, correlations, comparisons)
    protocols = (table.target, *table.proxies)
    return Study(
        scores=table,
        controls=(*controls, RANDOM),
        correlations=correlations,
        comparisons=comparisons,
        selection=selection_table(bootstrap, cells, RANDOM),
        standings=standings_table(bootstrap, protocols),
        costs=costs,
        critical_differences=critical_differences(table, protocols),
        verdicts=verdicts(correlations, comparisons, table.target),
        cheapest=cheapest_sentence(costs, table.target),
        warnings=(*table.warnings, *pooling_warnings(correlations), *few_warnings(table), *doubts),
        seed=seed,
        resamples=resamples,
        provenance=dict(provenance),
    )


def few_warnings(table: ScoreTable) -> list[str]:
    """A sentence if so few checkpoints are judged that a correlation has to be large to be more than noise."""
    n = len(table.checkpoints)
    if n > _FEW:
        return []
    # Two-sided 5 % point of tau under independence, by its normal approximation.
    noise = min(1.0, 1.96 * (2 * (2 * n + 5) / (9 * n * (n - 1))) ** 0.5)
    return [f"only {n} checkpoints: a Kendall tau below about {noise:.2f} on one task is no more than noise"]
