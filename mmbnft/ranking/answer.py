"""The answer of a report: what to take, what that may lose, how far to trust the proxies, and the cost."""

import math
from dataclasses import dataclass

import pandas as pd

from mmbnft.ranking.controls import CONTROL, OTHER_TASKS, RANDOM
from mmbnft.ranking.correlations import MEAN
from mmbnft.ranking.cost_trust import TRUST
from mmbnft.ranking.leaderboard import CONSENSUS, SHORTLIST, Leaderboard
from mmbnft.ranking.past import trust_sentence
from mmbnft.ranking.table import ScoreTable
from mmbnft.utils.wording import counted, duration, joined

# Checkpoints of a tier that a headline names one by one.
_NAMED = 3


@dataclass(frozen=True)
class Answer:
    """What the first screen of a report and the end of a command say.

    Attributes:
        headline: The checkpoint to take, the tier of those not separable from the best, or what to fine-tune next.
        pick: Why.
        regret: What it may lose against the best one, in points of the target.
        trust: How far the proxies can be trusted.
        cost: What it costs against running the target on everything.
    """

    headline: str
    pick: str
    regret: str
    trust: str
    cost: str


def answer(
    table: ScoreTable,
    board: Leaderboard,
    correlations: pd.DataFrame,
    selection: pd.DataFrame,
    costs: pd.DataFrame,
    verdict: str,
    past: pd.DataFrame,
) -> Answer:
    """Put what was found into the words of `Answer`.

    Args:
        table: The values.
        board: The checkpoints in order.
        correlations: Every correlation.
        selection: Every regret.
        costs: Rows of `mmbnft.ranking.cost_trust.cost_table`.
        verdict: The verdict over all tasks, or on the only one.
        past: Rows of `mmbnft.ranking.past.past_trust`.
    """
    return Answer(
        _headline(table, board),
        board.sentence,
        _regret(table, board, selection),
        _trust(table, correlations, verdict, past),
        _cost(table, board, costs),
    )


def open_checkpoints(table: ScoreTable, board: Leaderboard) -> list[str]:
    """The first checkpoints of the order that have the target on no task: what to fine-tune next."""
    rows = board.rows[board.rows["score"].notna() & (board.rows["target_tasks"] == 0)]
    return [] if board.by == table.target else rows["checkpoint"].tolist()[:SHORTLIST]


def _headline(table: ScoreTable, board: Leaderboard) -> str:
    rows = board.rows[board.rows["score"].notna()]
    following = open_checkpoints(table, board)
    if following:
        return (
            f"Fine-tune {joined(following)} next"
            if table.target == "finetune"
            else f"Run {table.target} on {joined(following)} next"
        )
    first, tier = rows["checkpoint"].iloc[0], rows[rows["tier"] == 1]["checkpoint"].tolist()
    if not tier:
        return f"{first} ranks first; how sure that is cannot be said"
    if len(tier) == 1:
        return f"Take {tier[0]}"
    if len(tier) <= _NAMED:
        return f"Take {joined(tier, 'or')} (not separable)"
    if len(tier) == len(rows):
        return f"No two checkpoints are separable; {first} ranks first"
    return f"Take {first}; {len(tier) - 1} others are not separable from it"


def _regret(table: ScoreTable, board: Leaderboard, selection: pd.DataFrame) -> str:
    where = MEAN if len(table.tasks) > 1 else table.tasks[0].name
    rows = selection[(selection["task"] == where) & (selection["k"] == 1) & selection["regret"].notna()]
    rows = rows.set_index("proxy")
    known = int((board.rows["target_tasks"] > 0).sum())
    if rows.empty:
        return f"The regret of a pick is unknown until {table.target} has been run on at least three checkpoints."
    at_random = f"a random pick loses {_points(rows.loc[RANDOM])}"
    if board.by == table.target:
        if OTHER_TASKS in rows.index:
            lost = f"picking the leader loses {_points(rows.loc[OTHER_TASKS])} against the task's best"
            return f"On a held-out task, {lost}; {at_random}."
        return f"It has the best {table.target} value measured here; {at_random}."
    among = "" if known == len(board.rows) else f" This covers only the {known} checkpoints with {table.target}."
    if board.by != CONSENSUS and board.by in rows.index:
        return f"Picking by {board.by} loses {_points(rows.loc[board.by])} against the best; {at_random}.{among}"
    proxies = rows[rows.index.isin(table.proxies)].sort_values("regret")
    if len(proxies) > 1 and proxies["regret"].nunique() == 1:
        return f"Picking by any of the proxies loses {_points(proxies.iloc[0])}; {at_random}.{among}"
    ends = [f"{_points(proxies.loc[name])} ({name})" for name in dict.fromkeys(proxies.index[[0, -1]])]
    return f"Picking by a proxy loses {joined(ends, 'to')}; {at_random}.{among}"


def _points(row: pd.Series) -> str:
    value, low, high = (float(row[name]) for name in ("regret", "regret_ci_low", "regret_ci_high"))
    span = "" if math.isnan(low) else f" [{low:.1f}, {high:.1f}]"
    return f"{value:.1f}{span} points"


def _trust(table: ScoreTable, correlations: pd.DataFrame, verdict: str, past: pd.DataFrame) -> str:
    if not table.is_judged:
        unknown = f"How far to trust the proxies is unknown here: no task has three checkpoints with {table.target}."
        return f"{unknown} {trust_sentence(past, table.target)}".strip()
    where = MEAN if len(table.tasks) > 1 else table.tasks[0].name
    rows = correlations[(correlations["task"] == where) & (correlations["statistic"] == TRUST)]
    rows = rows[rows["value"].notna() & (rows["proxy"] != RANDOM)].set_index("proxy")["value"]
    free = rows[rows.index.str.startswith(CONTROL)]
    behind = [name for name in table.proxies if name in rows.index and len(free) and rows[name] < free.max()]
    if not behind:
        return verdict
    name = str(free.idxmax()).removeprefix(CONTROL)
    return (
        f"{verdict.removesuffix('.')}; a free control ({name}, tau {free.max():.2f}) is ahead of "
        f"{joined(behind, most=_NAMED)}."
    )


def _cost(table: ScoreTable, board: Leaderboard, costs: pd.DataFrame) -> str:
    seconds = costs.set_index("proxy")["cost_seconds"].dropna()
    whole = float(seconds.get(table.target, math.nan))
    n = len(table.checkpoints)
    proxy = board.by if board.by in table.proxies else _most_trusted(table, costs)
    if proxy not in seconds.index:
        return "The table has no costs."
    mine = float(seconds[proxy])
    if math.isnan(whole):
        return f"{proxy} takes {duration(mine)} per run; the cost of {table.target} is unknown."
    sentence = (
        f"{proxy} takes {duration(mine)} per run, {table.target} {duration(whole)}: ranking "
        f"{counted(n, 'checkpoint')} on one task by {proxy} costs {100 * mine / whole:.2g} % of running "
        f"{table.target} on all ({duration(n * mine)} versus {duration(n * whole)})."
    )
    following = open_checkpoints(table, board)
    if following:
        sentence += f" Adding {joined(following)} takes about {duration(len(following) * whole)} more per task."
    return sentence


def _most_trusted(table: ScoreTable, costs: pd.DataFrame) -> str:
    known = costs[costs["proxy"].isin(table.proxies) & costs["cost_seconds"].notna()]
    judged = known[known["kendall"].notna()]
    if len(judged):
        return str(judged.loc[judged["kendall"].idxmax(), "proxy"])
    return str(known.loc[known["cost_seconds"].idxmin(), "proxy"]) if len(known) else ""
