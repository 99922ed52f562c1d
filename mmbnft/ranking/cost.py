"""Cost against trust: which proxies are worth their seconds."""

import math

import numpy as np
import pandas as pd

from mmbnft.ranking.comparison import A_BETTER, B_BETTER
from mmbnft.ranking.correlations import MEAN
from mmbnft.ranking.table import COSTS, ScoreTable

# The statistic that stands for trust where one figure is needed.
TRUST = "kendall"
COLUMNS = ("proxy", *COSTS, "kendall", "ci_low", "ci_high", "n", "pareto", "separable_from_best")


def cost_table(table: ScoreTable, correlations: pd.DataFrame, comparisons: pd.DataFrame) -> pd.DataFrame:
    """One row per proxy and the target: mean cost of one run, mean tau over tasks, whether it is on the Pareto front.

    A proxy is on the front if none other is at least as cheap in seconds and at least as trusted, and better in one.
    """
    trust = correlations[(correlations["task"] == MEAN) & (correlations["statistic"] == TRUST)].set_index("proxy")
    rows: list[tuple[object, ...]] = []
    points = {p: (_cost(table, p, "cost_seconds"), float(trust["value"].get(p, math.nan))) for p in table.proxies}
    known = {p: tau for p, (_, tau) in points.items() if not math.isnan(tau)}
    best = max(known, key=lambda p: known[p]) if known else ""
    for proxy in (*table.proxies, table.target):
        figures = [float(trust[c].get(proxy, math.nan)) for c in ("value", "ci_low", "ci_high")]
        n = int(trust["n"].get(proxy, 0))
        costs = [_cost(table, proxy, kind) for kind in COSTS]
        rows.append((proxy, *costs, *figures, n, _on_front(proxy, points), _separable(proxy, best, comparisons)))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def cheapest_sentence(costs: pd.DataFrame, target: str) -> str:
    """The cheapest proxy that cannot be told from the best one, in a sentence; empty without costs."""
    proxies = costs[(costs["proxy"] != target) & costs["cost_seconds"].notna() & costs["kendall"].notna()]
    good = proxies[~proxies["separable_from_best"]]
    if good.empty:
        return ""
    row, best = good.loc[good["cost_seconds"].idxmin()], proxies.loc[proxies["kendall"].idxmax()]
    whole = costs.set_index("proxy")["cost_seconds"].get(target, math.nan)
    against = f", {100 * row['cost_seconds'] / whole:.1f} % of {target}" if whole and whole > 0 else ""
    if row["proxy"] == best["proxy"]:
        return f"{row['proxy']} is both the most trusted proxy and the cheapest one not separable from it{against}."
    return (
        f"{row['proxy']} is the cheapest proxy that is not separable from the most trusted one, {best['proxy']}: "
        f"{row['cost_seconds']:.3g} s a run against {best['cost_seconds']:.3g} s{against}."
    )


def _cost(table: ScoreTable, protocol: str, kind: str) -> float:
    return float(table.costs.get(protocol, {}).get(kind, math.nan))


def _on_front(proxy: str, points: dict[str, tuple[float, float]]) -> bool:
    seconds, trust = points.get(proxy, (math.nan, math.nan))
    if math.isnan(seconds) or math.isnan(trust):
        return False
    return not any(s <= seconds and t >= trust and (s, t) != (seconds, trust) for s, t in points.values())


def _separable(proxy: str, best: str, comparisons: pd.DataFrame) -> bool:
    mine = comparisons[(comparisons["task"] == MEAN) & (comparisons["statistic"] == TRUST)]
    named = [{a, b} == {proxy, best} for a, b in zip(mine["proxy_a"], mine["proxy_b"], strict=True)]
    pair = mine[np.array(named, bool)]  # an array, because an empty list would select columns
    return bool(pair["verdict"].isin([A_BETTER, B_BETTER]).any())
