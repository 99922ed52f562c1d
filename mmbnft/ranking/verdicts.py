"""One sentence per task, for people who will read nothing else."""

import math
from collections.abc import Sequence

import pandas as pd

from mmbnft.ranking.comparison import NO_VERDICT, NOT_SEPARABLE, SIGNIFICANT
from mmbnft.ranking.correlations import MEAN, NAIVE, WITHIN
from mmbnft.ranking.cost_trust import TRUST
from mmbnft.ranking.statistics import ROUNDING
from mmbnft.utils.wording import joined


def verdicts(correlations: pd.DataFrame, comparisons: pd.DataFrame, target: str) -> dict[str, str]:
    """Task name to verdict, by Kendall's tau and the paired comparisons of the proxies.

    A task without the target has no verdict, unless no task has one.

    Args:
        correlations: The table of `correlations.py`.
        comparisons: The table of `comparisons.py`.
        target: Name of the target.
    """
    rows = correlations[(correlations["statistic"] == TRUST) & ~correlations["task"].isin([WITHIN, NAIVE])]
    rows = rows[~rows["proxy"].str.startswith("control: ")]
    judged = rows.groupby("task")["n"].transform("max") > 0
    rows = rows[judged] if judged.any() else rows
    pairs = comparisons[(comparisons["statistic"] == TRUST) & (comparisons["family"] == "proxies")]
    return {
        str(t): _sentence(str(t), part, pairs[pairs["task"] == t], target)
        for t, part in rows.groupby("task", sort=False)
    }


def _sentence(task: str, rows: pd.DataFrame, pairs: pd.DataFrame, target: str) -> str:
    where = "Over all tasks," if task == MEAN else "On this task,"
    known = rows[rows["value"].notna()]
    if known.empty:
        return f"{where} no verdict is possible: {rows['note'].iloc[0]} (n = {rows['n'].max()})."
    best = known.loc[known["value"].idxmax()]
    tied = [str(p) for p in known.loc[known["value"] >= best["value"] - ROUNDING, "proxy"]]
    cells = " checkpoint-task pairs" if task == MEAN else ""
    trust = f"tau {figure(best)}, n = {best['n']}{cells}"
    doubt = _doubt(best)
    if len(known) == 1:
        return f"{where} {best['proxy']} predicts {target} with {trust}{doubt}."
    if len(tied) > 1:
        beaten, _ = _against(tied[0], pairs)
        return f"{where} {joined(tied)} predict {target} equally well ({trust}){_better(beaten)}{doubt}."
    beaten, equal = _against(tied[0], pairs)
    if beaten and equal:
        found = f"predicts {target} better than {joined(beaten)}; it is not separable from {joined(equal)}"
    elif beaten:
        found = f"predicts {target} better than {joined(beaten)}"
    elif equal:
        found = f"is not separable from {joined(equal)} as a predictor of {target}"
    else:
        found = f"has the highest correlation with {target}, but there is no verdict"
    return f"{where} {tied[0]} {found} ({trust}){doubt}."


def _better(beaten: Sequence[str]) -> str:
    return f", better than {joined(beaten)}" if beaten else ""


def figure(row: pd.Series) -> str:
    """The value of a row of correlations with its interval."""
    if math.isnan(row["ci_low"]):
        return f"{row['value']:.2f} (no interval)"
    low, high = (round(row[name], 2) + 0.0 for name in ("ci_low", "ci_high"))  # + 0.0: no "-0.00"
    return f"{row['value']:.2f} [{low:.2f}, {high:.2f}]"


def _doubt(row: pd.Series) -> str:
    """What is to be said of a correlation that chance may explain: by its interval, or by its p-value without one."""
    if row["ci_low"] <= 0 <= row["ci_high"] or (math.isnan(row["ci_low"]) and row["p_value"] > SIGNIFICANT):
        return "; even this correlation is not significantly different from 0"
    return ""


def _against(best: str, pairs: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Proxies that `best` beats, and those not separable from it."""
    beaten, equal = [], []
    for pair in pairs[(pairs["proxy_a"] == best) | (pairs["proxy_b"] == best)].itertuples():
        other = str(pair.proxy_b if pair.proxy_a == best else pair.proxy_a)
        if pair.verdict == NOT_SEPARABLE:
            equal.append(other)
        elif pair.verdict != NO_VERDICT:
            beaten.append(other)
    return beaten, equal
