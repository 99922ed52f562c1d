"""Which checkpoint to take: by the target where it has been run, else by a proxy, and what to fine-tune next."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mmbnft.ranking import merits
from mmbnft.ranking.bootstrap import Bootstrap
from mmbnft.ranking.correlations import MEAN
from mmbnft.ranking.statistics import ROUNDING, Array, midranks
from mmbnft.ranking.table import ScoreTable, TaskScores
from mmbnft.utils.wording import joined

MERITS = ("value", "win_rate", "regret")
COLUMNS = (
    "place", "checkpoint", "score", "tasks", "target_tasks", "target_mean",
    *(f"{name}{end}" for name in MERITS for end in ("", "_low", "_high")), "p_best", "tier",
)  # fmt: skip
CONSENSUS = "all proxies"
# Checkpoints that are named to be fine-tuned next.
SHORTLIST = 3


@dataclass(frozen=True)
class Leaderboard:
    """The checkpoints in order.

    Attributes:
        by: The protocol that orders them, or `CONSENSUS`.
        rows: One row per checkpoint, columns `COLUMNS`: `score` is the mean over tasks of the rank's share,
            (rank - 1/2) / n, so 0 is best; `target_tasks` counts the tasks on which the target has been run; `value` is
            the mean by the protocol that orders them, if that is a percentage, `win_rate` the share of others beaten by
            it, and `regret` the points of the target behind each task's best, each with its interval over tasks.
        sentence: The answer in words.
    """

    by: str
    rows: pd.DataFrame
    sentence: str


def leaderboard(bootstrap: Bootstrap, table: ScoreTable, standings: pd.DataFrame, costs: pd.DataFrame) -> Leaderboard:
    """Order the checkpoints by the target, or by the proxy to be trusted most where the target leaves some open.

    The target orders them if every one has it on every task on which any has it, and most tasks are such tasks. Where
    no proxy has earned trust, the mean rank over all proxies orders them.

    Args:
        bootstrap: The shared resamples.
        table: The values.
        standings: Ranks, chances and tiers.
        costs: Rows of `mmbnft.ranking.cost_trust.cost_table`, which say what proxy is trusted.
    """
    by = _chosen(table, costs)
    names = table.checkpoints
    shares = _shares(table, (by,) if by != CONSENSUS else table.proxies)
    where = MEAN if len(table.tasks) > 1 else table.tasks[0].name
    known = standings[(standings["task"] == where) & (standings["proxy"] == by)].set_index("checkpoint")
    worth = _merits(bootstrap, table, by)
    rows = []
    for i, name in enumerate(names):
        targets = [task.means(table.target)[task.checkpoints.index(name)] for task in table.tasks if _has(task, name)]
        run = [float(value) for value in targets if np.isfinite(value)]
        mine = shares[name]
        chance = float(known["p_best"].get(name, np.nan))
        tier = known["tier"].get(name, pd.NA)
        score = float(np.mean(mine)) if mine else np.nan
        mean = float(np.mean(run)) if run else np.nan
        rows.append((name, score, len(mine), len(run), mean, *(float(x[i]) for x in worth), chance, tier))
    frame = pd.DataFrame(rows, columns=list(COLUMNS[1:])).sort_values(["score", "checkpoint"], ignore_index=True)
    places = midranks(-frame["score"].fillna(np.inf).to_numpy(float))
    frame.insert(0, "place", np.where(frame["score"].notna(), places, np.nan))
    frame = frame.astype({"tier": "Int64"})
    return Leaderboard(by, frame, _sentence(table, by, frame, costs))


def matrix(table: ScoreTable, protocol: str) -> Array:
    """(tasks, n) means of a protocol, checkpoints as in `table.checkpoints`; NaN where missing."""
    found = np.full((len(table.tasks), len(table.checkpoints)), np.nan)
    column = {name: i for i, name in enumerate(table.checkpoints)}
    for row, task in zip(found, table.tasks, strict=True):
        row[[column[name] for name in task.checkpoints]] = task.means(protocol)
    return found


def _merits(bootstrap: Bootstrap, table: ScoreTable, by: str) -> list[Array]:
    """Value, win rate and regret of each checkpoint, each as mean, lower and upper end."""
    values = matrix(table, by) if by in table.bounded else np.full((len(table.tasks), len(table.checkpoints)), np.nan)
    wins = [merits.win_shares(matrix(table, name)) for name in (table.proxies if by == CONSENSUS else (by,))]
    known = np.isfinite(wins)
    mean_wins = np.where(known, wins, 0.0).sum(axis=0) / np.where(known.any(axis=0), known.sum(axis=0), np.nan)
    figures = (merits.centred(values), mean_wins, merits.regrets(matrix(table, table.target)))
    found = [x for block in figures for x in merits.over_tasks(block, bootstrap.resamples, bootstrap.generator(10))]
    if len(table.tasks) == 1:  # no spread over tasks, but one over repeats
        half = table.tasks[0].half_widths(by)
        found[1:3] = [found[0] - half, found[0] + half]
    return found


def _chosen(table: ScoreTable, costs: pd.DataFrame) -> str:
    known = [np.isfinite(task.means(table.target)) for task in table.tasks]
    run = [mine for mine in known if mine.any()]
    everyone = {name for task, mine in zip(table.tasks, known, strict=True) if mine.any() for name in task.checkpoints}
    if 2 * len(run) > len(known) and all(mine.all() for mine in run) and everyone == set(table.checkpoints):
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
    names = joined(first)
    verb = "share first place" if len(first) > 1 else "ranks first"
    tasks = sum(len(task.complete([by])) > 0 for task in table.tasks) if by != CONSENSUS else len(table.tasks)
    over = "" if tasks == 1 else f" over {tasks} tasks"
    head = f"By {by}, {names} {verb}{over}"
    if by == table.target:
        return f"{head}{_tier(ranked, first, tasks)}."
    open_ones = ranked[ranked["target_tasks"] == 0]["checkpoint"].tolist()[:SHORTLIST]
    run = int((rows["target_tasks"] > 0).sum())
    trusted = by in set(costs.loc[costs["trusted"], "proxy"])
    trust = "" if trusted else "; nothing here shows how far to trust that"
    known = f"has been run on {run} of {len(rows)} checkpoints" if run else "has not been run yet"
    following = f" Next, run {table.target} on {', '.join(open_ones)}." if open_ones else ""
    return f"{table.target} {known}. {head}{trust}.{following}"


def _tier(ranked: pd.DataFrame, first: list[str], tasks: int) -> str:
    if ranked["tier"].isna().all():
        few = "fewer than three tasks that all checkpoints have" if tasks > 1 else "one run per cell"
        return f"; with {few} there is no estimate of uncertainty"
    others = ranked[(ranked["tier"] == 1) & ~ranked["checkpoint"].isin(first)]["checkpoint"].tolist()
    if not others:
        return "; all others are significantly worse"
    return f"; {'it is' if len(first) == 1 else 'they are'} not separable from {joined(others, most=5)}"
