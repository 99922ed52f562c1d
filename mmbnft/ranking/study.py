"""Everything one analysis found, before it is written anywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from mmbnft.ranking.bootstrap import Bootstrap
from mmbnft.ranking.checks import Finding, reported
from mmbnft.ranking.comparisons import comparison_table
from mmbnft.ranking.controls import RANDOM, Facts, with_controls
from mmbnft.ranking.correlations import correlation_table, random_rows, resampled_cells
from mmbnft.ranking.cost import MARGIN, advice_sentence, cost_table
from mmbnft.ranking.leaderboard import Leaderboard, leaderboard
from mmbnft.ranking.selection import selection_table
from mmbnft.ranking.standings import critical_differences, standings_table
from mmbnft.ranking.table import ScoreTable
from mmbnft.ranking.table_checks import table_findings
from mmbnft.ranking.verdicts import verdicts


@dataclass(frozen=True)
class Study:
    """The tables and sentences of a report.

    Attributes:
        scores: The values that were judged.
        controls: Names of the control rankers in the tables.
        leaderboard: The checkpoints in order, and which to take.
        correlations: One row per (task, proxy, statistic).
        comparisons: One row per (task, pair, statistic).
        selection: One row per (task, proxy, k).
        standings: One row per (task, checkpoint, proxy).
        costs: One row per proxy.
        critical_differences: Friedman and Nemenyi per protocol.
        verdicts: One sentence per task.
        advice: A sentence on the proxy to use; empty where none was judged.
        findings: Checks that fired, in the order of their codes.
        margin: Tau that a cheaper proxy may lose and still be recommended.
        seed: Seed of the resamples.
        resamples: Number of resamples.
        provenance: What is known of the results.
    """

    scores: ScoreTable
    controls: tuple[str, ...]
    leaderboard: Leaderboard
    correlations: pd.DataFrame
    comparisons: pd.DataFrame
    selection: pd.DataFrame
    standings: pd.DataFrame
    costs: pd.DataFrame
    critical_differences: Mapping[str, Mapping[str, object]]
    verdicts: Mapping[str, str]
    advice: str
    findings: tuple[Finding, ...]
    margin: float
    seed: int
    resamples: int
    provenance: Mapping[str, Any] = field(default_factory=dict)


def study(
    table: ScoreTable,
    facts: Facts,
    seed: int,
    resamples: int,
    provenance: Mapping[str, Any],
    findings: Sequence[Finding] = (),
    *,
    margin: float = MARGIN,
    ignore: Sequence[str] = (),
) -> Study:
    """Judge every proxy of `table` and every control; pure computation, nothing is written.

    Args:
        table: The checked values.
        facts: What the control rankers may know.
        seed: Seed of every resample.
        resamples: Number of resamples.
        provenance: What is known of the results.
        findings: Checks that fired before.
        margin: Tau that a cheaper proxy may lose and still be recommended.
        ignore: Codes of checks that are not reported.
    """
    with_added, controls = with_controls(table, facts)
    bootstrap = Bootstrap(with_added, resamples, seed)
    cells = resampled_cells(bootstrap, (*table.proxies, *controls))
    correlations = correlation_table(bootstrap, cells)
    correlations = pd.concat([correlations, random_rows(bootstrap, cells)], ignore_index=True)
    comparisons = comparison_table(bootstrap, cells, table.proxies, controls)
    costs = cost_table(table, correlations, comparisons, controls)
    standings = standings_table(bootstrap, table.protocols)
    return Study(
        scores=table,
        controls=(*controls, RANDOM),
        leaderboard=leaderboard(table, standings, costs),
        correlations=correlations,
        comparisons=comparisons,
        selection=selection_table(bootstrap, cells, RANDOM),
        standings=standings,
        costs=costs,
        critical_differences=critical_differences(table, table.protocols),
        verdicts=verdicts(correlations, comparisons, table.target) if table.is_judged else {},
        advice=advice_sentence(costs, table.target, margin) if table.is_judged else "",
        findings=reported((*table.findings, *findings, *table_findings(table, correlations)), ignore),
        margin=margin,
        seed=seed,
        resamples=resamples,
        provenance=dict(provenance),
    )
