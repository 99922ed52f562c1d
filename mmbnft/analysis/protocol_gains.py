"""What each protocol gains over the linear probe of the same checkpoint, across checkpoints and tasks."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mmbnft.ranking.resampling import expanded, summary
from mmbnft.ranking.statistics import Array
from mmbnft.results import Result

BASELINE = "linear"
ALL_TASKS = "all tasks"
PRETRAINED, UNTRAINED = "pre-trained", "random weights"
RESAMPLES = 2000
_CELL = ["checkpoint", "task", "split", "seed"]


def mean_gain(gains: Array, seed: int = 0) -> tuple[float, float, float]:
    """Mean gain and its 95 % interval, checkpoints and tasks resampled independently.

    The pigeonhole bootstrap (Owen, Annals of Applied Statistics 2007), with the tails moved out for the smaller of the
    two numbers (`expanded`). With a single checkpoint, or a single task, it says nothing about others.

    Args:
        gains: (K, T) of each checkpoint on each task, in points; NaN where unknown.
        seed: Of the resamples.

    Returns:
        The mean over known cells, and the interval; NaN where one checkpoint on one task is all there is.
    """
    known = np.isfinite(gains)
    rng = np.random.default_rng(seed)
    counts = [rng.multinomial(size, np.full(size, 1 / size), RESAMPLES) for size in gains.shape]
    sums = np.einsum("rk,rt,kt->r", *counts, np.where(known, gains, 0.0))
    cells = np.einsum("rk,rt,kt->r", *counts, known.astype(float))
    boot = np.divide(sums, cells, out=np.full(RESAMPLES, np.nan), where=cells > 0)
    mean, several = float(gains[known].mean()), [size for size in gains.shape if size > 1]
    low, high = summary(boot, lambda values: expanded(values, min(several)), mean) if several else (np.nan, np.nan)
    return mean, low, high


def protocol_table(results: Sequence[Result]) -> pd.DataFrame:
    """Mean value of each protocol, and its gain over the linear probe with a 95 % interval.

    One row for each (task, checkpoints, protocol), and the mean over tasks where there are several. Seeds and splits
    are averaged first; a run counts if the linear probe of its checkpoint, task, split and seed is there too. Random
    weights are drawn from the seed, so each seed of them is a checkpoint of its own. Empty without a probe, and where
    there is only one checkpoint on one task, of which the runs themselves say all.

    Args:
        results: Successful results, values in percent.
    """
    runs = pd.DataFrame(
        {
            **{name: getattr(result, name) for name in (*_CELL, "protocol", "value")},
            "network": f"{result.checkpoint} {result.seed}" if result.is_control else result.checkpoint,
            "checkpoints": UNTRAINED if result.is_control else PRETRAINED,
        }
        for result in results
    )
    if runs.empty:
        return runs
    probes = runs[runs["protocol"] == BASELINE].groupby(_CELL)["value"].mean().rename("probe")
    paired = runs.join(probes, on=_CELL, how="inner")
    paired["gain"] = paired["value"] - paired["probe"]
    if len(paired.loc[paired["protocol"] != BASELINE, ["network", "task"]].drop_duplicates()) < 2:
        return pd.DataFrame()
    rows = [row for group, found in paired.groupby("checkpoints") for row in _rows(str(group), found)]
    return pd.DataFrame(rows)


def _rows(group: str, runs: pd.DataFrame) -> list[dict[str, object]]:
    tasks = sorted(set(runs["task"]))
    rows = []
    for task in [*([ALL_TASKS] if len(tasks) > 1 else []), *tasks]:
        for protocol, found in runs[runs["task"].isin(tasks if task == ALL_TASKS else [task])].groupby("protocol"):
            cells = found.pivot_table(values=["value", "gain"], index="network", columns="task")
            row = {"task": task, "checkpoints": group, "protocol": protocol, "runs": len(found),
                   "value": float(np.nanmean(cells["value"]))}  # fmt: skip
            if protocol != BASELINE:
                row |= dict(zip(("gain", "low", "high"), mean_gain(cells["gain"].to_numpy(float)), strict=True))
            rows.append(row)
    return sorted(rows, key=lambda row: (row["task"] != ALL_TASKS, str(row["task"]), -float(row["value"])))
