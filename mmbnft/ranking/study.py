"""Everything one analysis found, before it is written anywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from mmbnft.ranking.answer import Answer, answer
from mmbnft.ranking.bootstrap import Bootstrap
from mmbnft.ranking.checks import Finding, reported
from mmbnft.ranking.comparisons import comparison_table
from mmbnft.ranking.controls import RANDOM, Facts, with_controls
from mmbnft.ranking.correlations import MEAN, correlation_table, random_rows, resampled_cells
from mmbnft.ranking.cost_trust import MARGIN, advice_sentence, cost_table
from mmbnft.ranking.leaderboard import CONSENSUS, Leaderboard, leaderboard, matrix
from mmbnft.ranking.merits import Stability, stability
from mmbnft.ranking.past import past_taus, past_trust
from mmbnft.ranking.run_facts import Run
from mmbnft.ranking.selection import selection_table
from mmbnft.ranking.standings import critical_differences, standings_table
from mmbnft.ranking.table import ScoreTable
from mmbnft.ranking.table_checks import table_findings
from mmbnft.ranking.verdicts import verdicts

# Draws of checkpoints behind the interval of an order's stability, which needs fewer than a tail.
_STABILITY_DRAWS = 2000


@dataclass(frozen=True)
class Study:
    """The tables and sentences of a report.

    Attributes:
        scores: The values that were judged.
        controls: Names of the control rankers in the tables.
        answer: The first screen in words.
        leaderboard: The checkpoints in order, and which to take.
        stability: What orders the checkpoints ("tasks" or "seeds") to how stable that order is.
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
        networks: Checkpoint to what results say of its network.
        past: Rows of `mmbnft.ranking.past.past_trust`; none where the table has a target to judge by.
        runs: The runs behind the values.
        made: How and when the report was made, e.g. `command` and `when`; shown on the page only.
    """

    scores: ScoreTable
    controls: tuple[str, ...]
    answer: Answer
    leaderboard: Leaderboard
    stability: Mapping[str, Stability]
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
    past: pd.DataFrame
    provenance: Mapping[str, Any] = field(default_factory=dict)
    networks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    runs: tuple[Run, ...] = ()
    made: Mapping[str, str] = field(default_factory=dict)


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
    past: Mapping[str, pd.DataFrame] | None = None,
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
        past: Past tables by name, long, to judge the proxies by; for a table without a target of its own.
    """
    with_added, controls = with_controls(table, facts)
    bootstrap = Bootstrap(with_added, resamples, seed)
    cells = resampled_cells(bootstrap, (*table.proxies, *controls))
    correlations = correlation_table(bootstrap, cells)
    correlations = pd.concat([correlations, random_rows(bootstrap, cells)], ignore_index=True)
    comparisons = comparison_table(bootstrap, cells, table.proxies, controls)
    costs = cost_table(table, correlations, comparisons, controls)
    standings = standings_table(bootstrap, table.protocols)
    said = verdicts(correlations, comparisons, table.target) if table.is_judged else {}
    board = leaderboard(bootstrap, table, standings, costs)
    selection = selection_table(bootstrap, cells, RANDOM)
    remembered = past_trust(table.proxies, past_taus(past or {}, table.target))
    overall = said.get(table.tasks[0].name if len(table.tasks) == 1 else MEAN, "")
    return Study(
        scores=table,
        controls=(*controls, RANDOM),
        answer=answer(table, board, correlations, selection, costs, overall, remembered),
        leaderboard=board,
        stability=_stability(bootstrap, table, board.by),
        correlations=correlations,
        comparisons=comparisons,
        selection=selection,
        standings=standings,
        costs=costs,
        critical_differences=critical_differences(table, table.protocols),
        verdicts=said,
        advice=advice_sentence(costs, table.target, margin) if table.is_judged else "",
        findings=reported((*table.findings, *findings, *table_findings(table, correlations)), ignore),
        margin=margin,
        seed=seed,
        resamples=resamples,
        past=remembered,
        provenance=dict(provenance),
        networks={name: facts.networks[name] for name in table.checkpoints if name in facts.networks},
    )


def _stability(bootstrap: Bootstrap, table: ScoreTable, by: str) -> dict[str, Stability]:
    """How stable the order by `by` is over tasks and over seeds, on the checkpoints that have every one."""
    if by == CONSENSUS:
        return {}
    values = matrix(table, by)
    whole = values[np.isfinite(values).any(axis=1)]
    tasks = whole[:, np.isfinite(whole).all(axis=0)]
    seeds = [task.repeats[by] for task in table.tasks if by in task.aligned]
    blocks = {"tasks": [tasks], "seeds": [block[np.isfinite(block).all(axis=1)].T for block in seeds]}
    found = {
        kind: stability(rows, min(bootstrap.resamples, _STABILITY_DRAWS), bootstrap.generator(11))
        for kind, rows in blocks.items()
    }
    return {kind: stable for kind, stable in found.items() if stable is not None}
