"""One sentence per task, for people who will read nothing else."""

import math

import pandas as pd

from mmbnft.ranking.comparison import NO_VERDICT, NOT_SEPARABLE
from mmbnft.ranking.correlations import MEAN, NAIVE, WITHIN
from mmbnft.ranking.cost import TRUST


def verdicts(correlations: pd.DataFrame, comparisons: pd.DataFrame, target: str) -> dict[str, str]:
    """Task name to verdict, by Kendall's tau and the paired comparisons of the proxies."""
    rows = correlations[(correlations["statistic"] == TRUST) & ~correlations["task"].isin([WITHIN, NAIVE])]
    rows = rows[~rows["proxy"].str.startswith("control: ")]
    pairs = comparisons[(comparisons["statistic"] == TRUST) & (comparisons["family"] == "proxies")]
    return {
        str(t): _sentence(str(t), part, pairs[pairs["task"] == t], target)
        for t, part in rows.groupby("task", sort=False)
    }


def _sentence(task: str, rows: pd.DataFrame, pairs: pd.DataFrame, target: str) -> str:
    where = "Over all tasks" if task == MEAN else "On this task"
    known = rows[rows["value"].notna()]
    if known.empty:
        return f"{where} nothing can be said: {rows['note'].iloc[0]} (n = {rows['n'].max()})."
    best = known.loc[known["value"].idxmax()]
    trust = f"tau {_figure(best)}, n = {best['n']}{' cells' if task == MEAN else ''}"
    doubt = _doubt(best)
    if len(known) == 1:
        return f"{where} {best['proxy']} predicts {target} with {trust}{doubt}."
    beaten, equal = _against(str(best["proxy"]), pairs)
    if equal:
        names = " and ".join([", ".join(equal[:-1]), equal[-1]] if len(equal) > 1 else equal)
        return f"{where} {best['proxy']} is not separable from {names} as a predictor of {target} ({trust}){doubt}."
    if beaten:
        return f"{where} {best['proxy']} predicts {target} better than {', '.join(beaten)} ({trust}){doubt}."
    return f"{where} {best['proxy']} has the highest correlation with {target} ({trust}), without a verdict{doubt}."


def _figure(row: pd.Series) -> str:
    if math.isnan(row["ci_low"]):
        return f"{row['value']:.2f} (no interval)"
    return f"{row['value']:.2f} [{row['ci_low']:.2f}, {row['ci_high']:.2f}]"


def _doubt(row: pd.Series) -> str:
    if math.isnan(row["ci_low"]) or row["ci_low"] <= 0 <= row["ci_high"]:
        return "; even its own correlation cannot be told from 0"
    return ""


def _against(best: str, pairs: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Proxies that `best` beats, and those it cannot be told from."""
    beaten, equal = [], []
    for pair in pairs[(pairs["proxy_a"] == best) | (pairs["proxy_b"] == best)].itertuples():
        other = str(pair.proxy_b if pair.proxy_a == best else pair.proxy_a)
        if pair.verdict == NOT_SEPARABLE:
            equal.append(other)
        elif pair.verdict != NO_VERDICT:
            beaten.append(other)
    return beaten, equal
