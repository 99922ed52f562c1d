"""Cost against trust: which proxies are worth their seconds."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from mmbnft.ranking.comparison import A_BETTER, B_BETTER
from mmbnft.ranking.correlations import MEAN
from mmbnft.ranking.table import COSTS, ScoreTable

# The statistic that stands for trust where one figure is needed.
TRUST = "kendall"
# How much of the best proxy's tau a cheaper one may lose and still be recommended.
MARGIN = 0.1
COLUMNS = (
    "proxy", *COSTS, "kendall", "ci_low", "ci_high", "n", "pareto", "separable_from_best", "trusted",
    "lost", "lost_low", "lost_high",
)  # fmt: skip


def cost_table(
    table: ScoreTable, correlations: pd.DataFrame, comparisons: pd.DataFrame, controls: Sequence[str]
) -> pd.DataFrame:
    """One row per proxy and the target: mean cost of one run, mean tau over tasks, whether it is on the Pareto front.

    A proxy is on the front if none other is at least as cheap in seconds and at least as trusted, and better in one. It
    is `trusted` if the interval of its tau lies above 0 and its tau above that of every control. `lost` is the tau that
    it gives up against the best trusted proxy, with the paired interval.

    Args:
        table: The values, with their costs.
        correlations: Every correlation.
        comparisons: Every comparison.
        controls: Names of the controls to beat.
    """
    trust = correlations[(correlations["task"] == MEAN) & (correlations["statistic"] == TRUST)].set_index("proxy")
    points = {p: (_cost(table, p, "cost_seconds"), float(trust["value"].get(p, math.nan))) for p in table.proxies}
    trusted = {p for p in table.proxies if _is_trusted(p, trust, controls)}
    best, best_trusted = _best(points, points), _best(points, trusted)
    rows: list[tuple[object, ...]] = []
    for proxy in (*table.proxies, table.target):
        figures = [float(trust[c].get(proxy, math.nan)) for c in ("value", "ci_low", "ci_high")]
        n = int(trust["n"].get(proxy, 0))
        costs = [_cost(table, proxy, kind) for kind in COSTS]
        separable = _pair(proxy, best, comparisons)["verdict"].isin([A_BETTER, B_BETTER]).any()
        lost = _lost(proxy, best_trusted, comparisons)
        rows.append((proxy, *costs, *figures, n, _on_front(proxy, points), bool(separable), proxy in trusted, *lost))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def advice_sentence(costs: pd.DataFrame, target: str, margin: float) -> str:
    """Which proxy to use: the cheapest that is shown to lose no more than `margin` of the best one's tau.

    A proxy earns advice if its tau lies above 0 and above the controls. That two proxies are not separable is no
    advice: with few checkpoints nothing is separable.

    Args:
        costs: Rows of `cost_table`.
        target: The target protocol.
        margin: Tau that may be lost.
    """
    proxies = costs[(costs["proxy"] != target) & costs["kendall"].notna()]
    if proxies.empty:
        return ""
    trusted = proxies[proxies["trusted"]]
    if trusted.empty:
        return (
            f"No proxy can be trusted here (none has a tau clearly above 0 and above every control): run {target} on a "
            "shortlist instead."
        )
    best = trusted.loc[trusted["kendall"].idxmax()]
    good = trusted[(trusted["lost_high"] <= margin) | (trusted["proxy"] == best["proxy"])]
    good = good[good["cost_seconds"].notna()]
    if good.empty:
        return f"{best['proxy']} is the most trusted proxy; costs are unknown, so no cheaper one can be recommended."
    row = good.loc[good["cost_seconds"].idxmin()]
    whole = costs.set_index("proxy")["cost_seconds"].get(target, math.nan)
    against = f", {100 * row['cost_seconds'] / whole:.2g} % of {target}" if whole and whole > 0 else ""
    if row["proxy"] == best["proxy"]:
        return (
            f"{row['proxy']} is the most trusted proxy ({row['cost_seconds']:.3g} s per run{against}); no cheaper one "
            f"is shown to lose at most {margin:g} tau to it."
        )
    lost = f"{row['lost']:.2f} [{row['lost_low']:.2f}, {row['lost_high']:.2f}]"
    return (
        f"{row['proxy']} is the cheapest proxy shown to lose at most {margin:g} tau to the most trusted one, "
        f"{best['proxy']}: it loses {lost} at {row['cost_seconds']:.3g} s per run{against}, versus "
        f"{best['cost_seconds']:.3g} s."
    )


def _cost(table: ScoreTable, protocol: str, kind: str) -> float:
    return float(table.costs.get(protocol, {}).get(kind, math.nan))


def _is_trusted(proxy: str, trust: pd.DataFrame, controls: Sequence[str]) -> bool:
    if proxy not in trust.index:
        return False
    bars = [float(trust["value"].get(control, math.nan)) for control in controls]
    # Without an interval (perfect order of a handful) there is no certainty, so no trust either.
    return bool(trust["ci_low"][proxy] > 0) and all(math.isnan(bar) or trust["value"][proxy] > bar for bar in bars)


def _best(points: dict[str, tuple[float, float]], among: "set[str] | dict[str, tuple[float, float]]") -> str:
    known = {p: tau for p, (_, tau) in points.items() if p in among and not math.isnan(tau)}
    return max(known, key=lambda p: known[p]) if known else ""


def _on_front(proxy: str, points: dict[str, tuple[float, float]]) -> bool:
    seconds, trust = points.get(proxy, (math.nan, math.nan))
    if math.isnan(seconds) or math.isnan(trust):
        return False
    return not any(s <= seconds and t >= trust and (s, t) != (seconds, trust) for s, t in points.values())


def _pair(proxy: str, best: str, comparisons: pd.DataFrame) -> pd.DataFrame:
    mine = comparisons[(comparisons["task"] == MEAN) & (comparisons["statistic"] == TRUST)]
    named = [{a, b} == {proxy, best} for a, b in zip(mine["proxy_a"], mine["proxy_b"], strict=True)]
    return mine[np.array(named, bool)]  # an array, because an empty list would select columns


def _lost(proxy: str, best: str, comparisons: pd.DataFrame) -> tuple[float, float, float]:
    """Tau of `best` minus tau of `proxy`, with the paired interval."""
    pair = _pair(proxy, best, comparisons)
    if pair.empty:
        return math.nan, math.nan, math.nan
    row = pair.iloc[0]
    figures = float(row["difference"]), float(row["ci_low"]), float(row["ci_high"])
    if row["proxy_a"] == best:
        return figures
    return -figures[0], -figures[2], -figures[1]
