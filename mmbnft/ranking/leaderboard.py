"""Which checkpoint to take: by the target where it has been run, else by a proxy, and what to fine-tune next."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mmbnft.ranking.correlations import MEAN
from mmbnft.ranking.statistics import ROUNDING, midranks
from mmbnft.ranking.table import ScoreTable, TaskScores

COLUMNS = ("place", "checkpoint", "score", "tasks", "target_tasks", "target_mean", "p_best", "tier")
CONSENSUS = "all proxies"
# Checkpoints that are named to be fine-tuned next.
SHORTLIST = 3


@dataclass(frozen=True)
class Leaderboard:
    """The checkpoints in order.

    Attributes:
        by: The protocol that orders them, or `CONSENSUS`.
        rows: One row per checkpoint, columns `COLUMNS`: `score` is the mean over tasks of the rank's share,
            (rank - 1/2) / n, so 0 is best; `target_tasks` counts the tasks on which the target has been run.
        sentence: The answer in words.
    """

    by: str
    rows: pd.DataFrame
    sentence: str


def leaderboard(table: ScoreTable, standings: pd.DataFrame, costs: pd.DataFrame) -> Leaderboard:
    """Order the checkpoints by the target, if every one has it on every task, else by the proxy to be trusted most.

    Where no proxy has earned trust, the mean rank over all proxies orders them.

    Args:
        table: The values.
        standings: Ranks, chances and tiers.
        costs: Rows of `mmbnft.ranking.cost.cost_table`, which say what proxy is trusted.
    """
    by = _chosen(table, costs)
    names = table.checkpoints
    shares = _shares(table, (by,) if by != CONSENSUS else table.proxies)
    where = MEAN if len(table.tasks) > 1 else table.tasks[0].name
    known = standings[(standings["task"] == where) & (standings["proxy"] == by)].set_index("checkpoint")
    rows = []
    for name in names:
        targets = [task.means(table.target)[task.checkpoints.index(name)] for task in table.tasks if _has(task, name)]
        run = [float(value) for value in targets if np.isfinite(value)]
        mine = shares[name]
        chance = float(known["p_best"].get(name, np.nan))
        tier = known["tier"].get(name, pd.NA)
        score = float(np.mean(mine)) if mine else np.nan
        rows.append((name, score, len(mine), len(run), float(np.mean(run)) if run else np.nan, chance, tier))
    frame = pd.DataFrame(rows, columns=list(COLUMNS[1:])).sort_values(["score", "checkpoint"], ignore_index=True)
    places = midranks(-frame["score"].fillna(np.inf).to_numpy(float))
    frame.insert(0, "place", np.where(frame["score"].notna(), places, np.nan))
    frame = frame.astype({"tier": "Int64"})
    return Leaderboard(by, frame, _sentence(table, by, frame, costs))


def _chosen(table: ScoreTable, costs: pd.DataFrame) -> str:
    if all(np.isfinite(task.means(table.target)).all() for task in table.tasks):
        return table.target
    proxies = costs[costs["proxy"].isin(table.proxies) & costs["kendall"].notna()]
    trusted = proxies[proxies["trusted"]]
    if len(trusted):
        return str(trusted.loc[trusted["kendall"].idxmax(), "proxy"])
    return CONSENSUS if len(table.proxies) > 1 else table.proxies[0]


def _has(task: TaskScores, name: str) -> bool:
    return name in task.checkpoints


def _shares(table: ScoreTable, protocols: tuple[str, ...]) -> dict[str, list[float]]:
    """Per checkpoint the share of its rank, (rank - 1/2) / n, on every task and protocol that has it."""
    found: dict[str, list[float]] = {name: [] for name in table.checkpoints}
    for task in table.tasks:
        for protocol in protocols:
            rows = task.complete([protocol])
            if len(rows) < 2:
                continue
            ranks = midranks(task.means(protocol)[rows])
            for row, rank in zip(rows, ranks, strict=True):
                found[task.checkpoints[row]].append(float((rank - 0.5) / len(rows)))
    return found


def _sentence(table: ScoreTable, by: str, rows: pd.DataFrame, costs: pd.DataFrame) -> str:
    ranked = rows[rows["score"].notna()]
    first = ranked[ranked["score"] <= ranked["score"].iloc[0] + ROUNDING]["checkpoint"].tolist()
    names = " and ".join([", ".join(first[:-1]), first[-1]] if len(first) > 1 else first)
    verb = "share the first place" if len(first) > 1 else "ranks first"
    over = "" if len(table.tasks) == 1 else f" over {len(table.tasks)} tasks"
    head = f"By {by} {names} {verb}{over}"
    if by == table.target:
        return f"{head}{_tier(ranked, first)}."
    open_ones = ranked[ranked["target_tasks"] == 0]["checkpoint"].tolist()[:SHORTLIST]
    run = int((rows["target_tasks"] > 0).sum())
    trusted = by in set(costs.loc[costs["trusted"], "proxy"])
    trust = "" if trusted else "; nothing here shows how far that can be trusted"
    known = f"{run} of {len(rows)} checkpoints have {table.target}" if run else f"No checkpoint has {table.target} yet"
    following = f" Next, run {table.target} on {', '.join(open_ones)}." if open_ones else ""
    return f"{known}. {head}{trust}.{following}"


def _tier(ranked: pd.DataFrame, first: list[str]) -> str:
    if ranked["tier"].isna().all():
        return "; with one run per cell nothing tells how sure that is"
    others = ranked[(ranked["tier"] == 1) & ~ranked["checkpoint"].isin(first)]["checkpoint"].tolist()
    if not others:
        return "; all others are significantly behind"
    shown = ", ".join(others[:5]) + (f" and {len(others) - 5} more" if len(others) > 5 else "")
    return f"; it is not separable from {shown}"
