"""What past tables, published and own, say of a proxy: for a report that has no target of its own to judge it by."""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mmbnft.ranking.statistics import kendall
from mmbnft.result_files import read_results
from mmbnft.results import results_table
from mmbnft.utils.errors import UserError
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


def published_tables() -> dict[str, pd.DataFrame]:
    """The published tables, long, by name; none where the package was installed without them."""
    tables = {path.stem: pd.read_csv(path).replace({"protocol": ALIASES}) for path in sorted(PUBLISHED.glob("*.csv"))}
    return {name: table[~table["task"].str.contains(REPEATED)] for name, table in tables.items()}


def stored_tables(folders: Iterable[Path]) -> dict[str, pd.DataFrame]:
    """Tables of folders of results, long, one for each recipe in each; what was only read on val does not count.

    Args:
        folders: Folders of grids, or of their results.

    Returns:
        Tables by name: that of the folder, with the recipe where there are several.

    Raises:
        UserError: A folder is missing, or has a damaged result.
    """
    found = {}
    for folder in folders:
        results = [r for r in read_results(folder) if r.evaluated_on != "val"]
        recipes = sorted({result.recipe for result in results})
        for recipe in recipes:
            name = str(folder) if len(recipes) == 1 else f"{folder}, recipe {recipe}"
            found[name] = results_table([result for result in results if result.recipe == recipe])
    return found


def own_tables(root: Path) -> dict[str, pd.DataFrame]:
    """`stored_tables` of every folder of results in a folder such as work_dirs; what cannot be read has no say."""
    found: dict[str, pd.DataFrame] = {}
    for folder in sorted(root.glob("*/results")):
        with contextlib.suppress(UserError):
            found |= stored_tables([folder.parent])
    return found


def past_taus(tables: Mapping[str, pd.DataFrame], target: str) -> pd.DataFrame:
    """Kendall's tau of each proxy with the target in past tables, task by task.

    Args:
        tables: Long tables by name: columns `checkpoint`, `task`, `protocol`, `value`.
        target: Name of the target.

    Returns:
        Columns `table`, `proxy`, `task`, `checkpoints` (how many have both) and `tau`; tasks with fewer than `FEWEST`
        are left out.
    """
    rows = []
    for title, table in tables.items():
        for task, part in table.groupby("task"):
            values = part.pivot_table(index="checkpoint", columns="protocol", values="value", aggfunc="mean")
            for proxy in values.columns.drop(target, errors="ignore") if target in values else ():
                both = values[[proxy, target]].dropna().to_numpy(float)
                if len(both) >= FEWEST:
                    rows.append((title, proxy, task, len(both), float(kendall(both[:, 0], both[:, 1]))))
    found = pd.DataFrame(rows, columns=["table", "proxy", "task", "checkpoints", "tau"])
    return found[np.isfinite(found["tau"].astype(float))]


def past_trust(proxies: Sequence[str], taus: pd.DataFrame) -> pd.DataFrame:
    """How far past tables trust the proxies of a report: one row for each of them in each table that knows it.

    Args:
        proxies: Names of the proxies.
        taus: Rows of `past_taus`.

    Returns:
        Columns `proxy`, `table`, `tau` (mean over tasks), `low` and `high` (of single tasks), `tasks`.
    """
    known = taus[taus["proxy"].isin(proxies)].groupby(["proxy", "table"], sort=False)["tau"]
    rows = known.agg(tau="mean", low="min", high="max", tasks="count").reset_index()
    return rows.sort_values("proxy", key=lambda column: column.map(list(proxies).index), kind="stable")


def trust_sentence(trust: pd.DataFrame, target: str) -> str:
    """`past_trust` in a sentence; empty where no table knows any of the proxies.

    Args:
        trust: Rows of `past_trust`.
        target: Name of the target.
    """
    said = [
        f"{row.proxy} {row.tau:.2f} ({row.table}, mean of {counted(row.tasks, 'task')}"
        f"{f', range {row.low:.2f} to {row.high:.2f}' if row.tasks > 1 else ''})"
        for row in trust.itertuples()
    ]
    return f"In past tables, Kendall's tau with {target}: {joined(said, most=_NAMED)}." if said else ""
