"""What published tables say of a proxy, for a report that has no target of its own to judge it by."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from mmbnft.ranking.statistics import kendall
from mmbnft.utils.shipped import SHIPPED
from mmbnft.utils.wording import counted, joined

PUBLISHED = SHIPPED / "data" / "published"
# What published tables call a protocol, where it is the same as one of this project's.
ALIASES = {"knn_11": "knn"}
# Tasks there that repeat another one at a smaller size, or are no classification.
REPEATED = "_28px|_64px|_128px|voc_detection_"
# With fewer checkpoints a tau is a matter of chance.
FEWEST = 8
_NAMED = 4


def published_taus(target: str) -> pd.DataFrame:
    """Kendall's tau of each published proxy with the target, task by task.

    Args:
        target: Name of the target.

    Returns:
        Columns `table`, `proxy`, `task`, `checkpoints` (how many have both) and `tau`; tasks with fewer than `FEWEST`
        are left out. No rows where the package was installed without the tables.
    """
    rows = []
    for path in sorted(PUBLISHED.glob("*.csv")):
        table = pd.read_csv(path).replace({"protocol": ALIASES})
        table = table[~table["task"].str.contains(REPEATED)]
        for task, part in table.groupby("task"):
            values = part.pivot_table(index="checkpoint", columns="protocol", values="value", aggfunc="mean")
            for proxy in values.columns.drop(target, errors="ignore") if target in values else ():
                both = values[[proxy, target]].dropna().to_numpy(float)
                if len(both) >= FEWEST:
                    rows.append((path.stem, proxy, task, len(both), float(kendall(both[:, 0], both[:, 1]))))
    found = pd.DataFrame(rows, columns=["table", "proxy", "task", "checkpoints", "tau"])
    return found[np.isfinite(found["tau"].astype(float))]


def published_trust(proxies: Iterable[str], target: str) -> str:
    """One sentence on how far published tables trust the proxies of a report; empty where none knows any.

    Args:
        proxies: Names of the proxies.
        target: Name of the target.
    """
    taus = published_taus(target)
    said = []
    for proxy in proxies:
        for name, part in taus[taus["proxy"] == proxy].groupby("table"):
            low, high = part["tau"].min(), part["tau"].max()
            single = f", {low:.2f} to {high:.2f} on single ones" if len(part) > 1 else ""
            said.append(f"{proxy} {part['tau'].mean():.2f} ({name}, mean of {counted(len(part), 'task')}{single})")
    if not said:
        return ""
    return f"In published tables, of other tasks, Kendall's tau with {target} is {joined(said, most=_NAMED)}."
