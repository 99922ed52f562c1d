"""Where tables come from: folders of results, long CSV files, wide CSV files, published targets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd

from mmbnft.ranking.table import REQUIRED
from mmbnft.results import Result, read_results, results_table, search_summary
from mmbnft.utils.errors import UserError, choices

# Keys of a result's details that identify what was run.
_KEPT = ("versions", "hashes", "certificate")


@dataclass(frozen=True)
class Source:
    """A long table and what is known of where it came from.

    Attributes:
        table: Columns `checkpoint,task,protocol,value` and optional ones.
        provenance: Plain values for the report.
        doubts: One sentence each, for the warnings of the report.
        parameters: Checkpoint to number of parameters, where the load certificate tells.
    """

    table: pd.DataFrame
    provenance: Mapping[str, Any] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()
    parameters: Mapping[str, float] = field(default_factory=dict)


def read_sources(
    paths: Sequence[Path | str], aliases: Mapping[str, str] | None = None, wide: str | None = None
) -> Source:
    """Read and join several sources.

    Args:
        paths: Results folders or CSV files.
        aliases: Any spelling of a checkpoint to its name.
        wide: Protocol of CSV files that have one column per task beside `checkpoint`.

    Raises:
        UserError: A path is missing, unreadable or lacks columns.
    """
    if not paths:
        raise UserError("no source was given; name a results folder or a CSV file")
    parts = [read_source(path, wide) for path in paths]
    table = pd.concat([part.table for part in parts], ignore_index=True)
    provenance = {str(path): part.provenance for path, part in zip(paths, parts, strict=True)}
    doubts = tuple(sentence for part in parts for sentence in part.doubts)
    parameters = {name: number for part in parts for name, number in part.parameters.items()}
    return Source(with_names(table, aliases or {}), provenance, doubts, parameters)


def read_source(path: Path | str, wide: str | None = None) -> Source:
    """Read one results folder or CSV file."""
    path = Path(path)
    if path.is_dir():
        return results_source(read_results(path))
    if not path.exists():
        raise UserError(f"there is no source {path}; name a results folder or a CSV file")
    try:
        table = pd.read_csv(path, skipinitialspace=True, dtype=dict.fromkeys(("checkpoint", "task", "protocol"), str))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read as CSV ({str(error).strip()}); a long table has {', '.join(REQUIRED)}"
        ) from error
    table = _melted(table, path, wide) if wide is not None else table
    missing = [name for name in REQUIRED if name not in table.columns]
    if missing:
        raise UserError(
            f"{path} lacks the column {choices(missing)}; it has {choices([str(c) for c in table.columns])}; "
            "a table with one column per task is read with the option for wide tables"
        )
    return Source(table, {"rows": len(table)})


def results_source(results: Sequence[Result]) -> Source:
    """The successful runs of `results`; failed ones are named as doubts, never dropped in silence."""
    good = [result for result in results if result.status == "ok"]
    table = results_table(good)
    table["cost_images"] = pd.Series([r.cost.get("images") for r in good], dtype=float)
    table["cost_memory_bytes"] = pd.Series([r.cost.get("peak_memory_bytes") for r in good], dtype=float)
    doubts = [
        f"{r.task}: {r.protocol} of {r.checkpoint} (split {r.split}, seed {r.seed}) failed: {r.reason}"
        for r in results
        if r.status == "failed"
    ]
    recipes: dict[str, set[str]] = {}
    for result in good:
        recipes.setdefault(result.protocol, set()).add(result.recipe)
    for protocol, names in sorted(recipes.items()):
        if len(names) > 1:
            doubts.append(f"{protocol} was run with different recipes ({choices(names)}): its values do not compare")
    if len({name for names in recipes.values() for name in names}) > 1:
        listed = "; ".join(f"{protocol}: {choices(names)}" for protocol, names in sorted(recipes.items()))
        doubts.append(f"arms differ in their recipe, which may explain a difference between them ({listed})")
    return Source(table, _provenance(good), (*doubts, *_in_parts(good)), _parameters(good))


def with_names(table: pd.DataFrame, aliases: Mapping[str, str]) -> pd.DataFrame:
    """Give checkpoints the names of the catalogue; unknown ones keep theirs."""
    if "checkpoint" not in table.columns:
        return table
    known = {_plain(alias): name for alias, name in aliases.items()}
    return table.assign(checkpoint=[known.get(_plain(str(c)), c) for c in table["checkpoint"]])


def with_targets(table: pd.DataFrame, targets: pd.DataFrame, target: str) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Put published targets beside proxies measured here.

    Names match up to upper and lower case, `_` and `-`; what the two sides do not share is said.

    Args:
        table: Long table of proxies; its own rows of the target give way to none, so it must have none.
        targets: Long table with the target.
        target: Name of the target protocol.

    Returns:
        The joined long table, and one sentence per kind of name that found no partner.

    Raises:
        UserError: The target is not in `targets`, is also in `table`, or nothing matches.
    """
    if target not in set(targets["protocol"]):
        raise UserError(f"target {target!r} is not in the file of targets; it has {choices(set(targets['protocol']))}")
    if target in set(table["protocol"]):
        raise UserError(f"the sources already have values of the target {target!r}; leave the file of targets away")
    targets, doubts = targets[targets["protocol"] == target].copy(), []
    for column in ("checkpoint", "task"):
        ours = {_plain(str(name)): str(name) for name in table[column]}
        targets[column] = [ours.get(_plain(str(name)), str(name)) for name in targets[column]]
        for side, lone in (
            ("the published targets", sorted(set(targets[column]) - set(table[column]))),
            ("the sources", sorted(set(table[column]) - set(targets[column]))),
        ):
            if lone:
                doubts.append(f"only {side} have the {column} {', '.join(lone)}; nothing can be judged there")
    shared = set(zip(table["checkpoint"], table["task"], strict=True))
    kept = [cell in shared for cell in zip(targets["checkpoint"], targets["task"], strict=True)]
    if not any(kept):
        raise UserError(
            f"no published target matches a checkpoint and task of the sources; they have the checkpoints "
            f"{choices(set(table['checkpoint']))} and the tasks {choices(set(table['task']))}"
        )
    return pd.concat([table, targets[kept]], ignore_index=True), tuple(doubts)


def _melted(table: pd.DataFrame, path: Path, protocol: str) -> pd.DataFrame:
    if "checkpoint" not in table.columns or len(table.columns) < 2:
        raise UserError(f"{path} is no wide table: it needs a column checkpoint and one column per task")
    return table.melt(id_vars="checkpoint", var_name="task", value_name="value").assign(protocol=protocol)


def _parameters(results: Sequence[Result]) -> dict[str, float]:
    certificates = {result.checkpoint: result.details.get("certificate") for result in results}
    known = {name: c.get("parameters") for name, c in certificates.items() if isinstance(c, dict)}
    return {name: float(number) for name, number in known.items() if isinstance(number, (int, float))}


def _in_parts(results: Sequence[Result]) -> list[str]:
    """A sentence for each run that computed its batches in parts, for lack of memory."""
    return [
        f"{r.task}: {r.protocol} of {r.checkpoint} (split {r.split}, seed {r.seed}) took every batch in "
        f"{r.details['accumulation']} parts for lack of memory: batch statistics are those of the parts"
        for r in results
        if (r.details.get("accumulation") or 1) > 1
    ]


def _searches(results: Sequence[Result]) -> dict[str, dict[str, float]]:
    """For each protocol what its searches saw on val: best, median and mean over the grid, each a mean over runs."""
    found: dict[str, list[dict[str, float]]] = {}
    for result in results:
        if "best" in (summary := search_summary(result)):
            found.setdefault(result.protocol, []).append(summary)
    return {
        protocol: {name: round(fmean(one[name] for one in many), 2) for name in ("best", "median", "mean")}
        for protocol, many in sorted(found.items())
    }


def _provenance(results: Sequence[Result]) -> dict[str, Any]:
    """What identifies the runs: hashes, versions and certificates, each distinct value once."""
    found: dict[str, Any] = {"runs": len(results), "recipes": {}, "checkpoints": {}, "lists": {}, "versions": []}
    for result in results:
        details = {key: result.details.get(key) for key in _KEPT}
        found["recipes"].setdefault(result.protocol, result.recipe)
        hashes = details["hashes"] if isinstance(details["hashes"], dict) else {}
        if hashes.get("checkpoint"):
            found["checkpoints"][result.checkpoint] = hashes["checkpoint"]
        if hashes.get("lists"):
            found["lists"][f"{result.task}, split {result.split}"] = hashes["lists"]
        if details["versions"] and details["versions"] not in found["versions"]:
            found["versions"].append(details["versions"])
        if isinstance(details["certificate"], dict) and details["certificate"].get("allow_partial"):
            found.setdefault("partially loaded", []).append(result.checkpoint)
    if searches := _searches(results):
        found["val over the search grid, mean over runs (%)"] = searches
    return found


def _plain(name: str) -> str:
    return name.strip().lower().replace("_", "-").replace(" ", "-")
