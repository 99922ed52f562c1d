"""Results as tables: what a store holds, what failed, what no longer belongs to a plan."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmbnft.artifacts import kept
from mmbnft.result_files import read_results
from mmbnft.results import RESULTS_VERSION, Result, search_summary
from mmbnft.utils.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

SUMMARY = ("trials", "failed", "best", "median", "mean")
LISTED = ("checkpoint", "task", "protocol", "recipe", "split", "seed", "status", "value", "metric", "seconds", "kept")


def open_results(path: Path) -> list[Result]:
    """Every result of a benchmark's folder, a results folder or an archive.

    Raises:
        UserError: There is no such folder or archive, it holds no result, or a file in it cannot be read.
    """
    found = read_results(path)
    if not found:
        raise UserError(f"there is no result in {path}; name the folder of a benchmark or its results folder")
    return found


def whole_table(results: Sequence[Result]) -> "pd.DataFrame":
    """One row for each result, failed ones included: coordinates, value, cost, choice on val.

    The columns `search_best`, `search_median` and `search_mean` are readings of val in percent over the trials of the
    search, each at its longest training; `search_trials` and `search_failed` count trials.
    """
    import pandas as pd

    rows = [
        {
            "checkpoint": r.checkpoint,
            "task": r.task,
            "protocol": r.protocol,
            "recipe": r.recipe,
            "split": r.split,
            "seed": r.seed,
            "status": r.status,
            "value": r.value,
            "metric": r.metric,
            "scale": r.scale,
            "evaluated_on": r.evaluated_on,
            **{
                name: r.cost.get(name)
                for name in ("seconds", "shared_seconds", "images", "peak_memory_bytes", "device")
            },
            **{f"search_{name}": search_summary(r).get(name) for name in SUMMARY},
            "accumulation": r.details.get("accumulation"),
            "kind": r.kind,
            "reason": r.reason,
            "kept": kept(r.folder, r.key),
            "key": r.key,
        }
        for r in results
    ]
    return pd.DataFrame(rows)


def format_results(results: Sequence[Result]) -> str:
    """The columns of `LISTED` as aligned text."""
    if not results:
        return "no results"
    return whole_table(results)[list(LISTED)].to_string(index=False, na_rep="-", float_format=lambda x: f"{x:.2f}")


def stale_reasons(results: Sequence[Result], keys: Collection[str] | None) -> list[tuple[Result, str]]:
    """Results that the plan or the code no longer stands behind, each with the reason.

    Args:
        results: Results of a store.
        keys: Keys of the plan's runs; None to judge by the version of the code alone.
    """
    found = []
    for result in results:
        version = result.details.get("results_version")
        if keys is not None and result.key not in keys:
            found.append((result, "not in the plan"))
        elif version is not None and version != RESULTS_VERSION:
            found.append((result, f"made with results version {version}, now {RESULTS_VERSION}"))
        elif version is None and keys is None and result.status == "ok":
            found.append((result, "states no results version"))
    return found
