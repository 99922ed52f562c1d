"""Where tables come from: folders of results, long CSV files, wide CSV files, published targets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pandas as pd

from mmbnft.ranking.checks import Finding
from mmbnft.ranking.csv_tables import read_csv_table
from mmbnft.ranking.image_noise import standard_errors
from mmbnft.ranking.names import joined_names, plain
from mmbnft.ranking.run_checks import run_findings
from mmbnft.ranking.run_facts import (
    Run,
    run_networks,
    run_provenance,
    runs_of_results,
    runs_of_table,
)
from mmbnft.result_files import is_archive, read_results
from mmbnft.results import Result, results_table, with_named_controls
from mmbnft.utils.errors import UserError, choices, meant_path
from mmbnft.utils.files import sha256_file


@dataclass(frozen=True)
class Source:
    """A long table and what is known of where it came from.

    Attributes:
        table: Columns `checkpoint,task,protocol,value` and optional ones.
        provenance: Plain values for the report.
        findings: What a reader of the report must be told.
        networks: Checkpoint to what results say of its network.
        runs: The runs behind the values.
    """

    table: pd.DataFrame
    provenance: Mapping[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    networks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    runs: tuple[Run, ...] = ()


def read_sources(
    paths: Sequence[Path | str], aliases: Mapping[str, str] | None = None, wide: str | None = None
) -> Source:
    """Read and join several sources.

    Names of checkpoints stay as they are written, unless two sources spell one catalogue entry differently.

    Args:
        paths: Results folders or CSV files.
        aliases: Any spelling of a checkpoint to its id.
        wide: Protocol of CSV files that have one column per task beside `checkpoint`.

    Raises:
        UserError: A path is missing, unreadable or lacks columns.
    """
    if not paths:
        raise UserError("no source was given; name a results folder, an archive of results or a CSV file")
    parts = _parts([Path(path) for path in paths], wide)
    tables, joined = joined_names([part.table for part in parts], aliases or {})
    provenance = {str(path): part.provenance for path, part in zip(paths, parts, strict=True)}
    findings = tuple(finding for part in parts for finding in part.findings)
    networks = {name: network for part in parts for name, network in part.networks.items()}
    names = [dict(zip(p.table["checkpoint"], t["checkpoint"], strict=True)) for p, t in zip(parts, tables, strict=True)]
    runs = tuple(
        run._replace(checkpoint=new.get(run.checkpoint, run.checkpoint))
        for part, new in zip(parts, names, strict=True)
        for run in part.runs
    )
    return Source(pd.concat(tables, ignore_index=True), provenance, (*findings, *joined), networks, runs)


def _parts(paths: Sequence[Path], wide: str | None) -> list[Source]:
    """Each source by itself, with random weights named alike in all that hold results."""
    stored = [_stored(path) for path in paths]
    named = iter(with_named_controls(chain(*filter(None, stored))))
    return [
        results_source(list(islice(named, len(found)))) if found else read_source(path, wide)
        for path, found in zip(paths, stored, strict=True)
    ]


def _stored(path: Path) -> list[Result]:
    """The results in a folder or archive; none for another file."""
    if not (path.is_dir() or is_archive(path)):
        return []
    if not (found := read_results(path)):
        raise UserError(f"there is no result in {path}; name the folder of a grid that has finished a run")
    return found


def read_source(path: Path | str, wide: str | None = None) -> Source:
    """Read one results folder, the folder of a grid, an archive of results, or one CSV file.

    Args:
        path: The folder, archive or file.
        wide: Protocol of a wide file; a file that has the columns of a long table is read as one all the same.

    Raises:
        UserError: The path is missing, unreadable or lacks columns.
    """
    path = Path(path)
    if found := _stored(path):
        return results_source(found)
    if not path.exists():
        raise UserError(
            f"there is no source {path}; name a results folder, an archive of results or a CSV file{meant_path(path)}"
        )
    table, findings = read_csv_table(path, wide)
    return Source(table, {"rows": len(table), "sha256": sha256_file(path)}, findings, runs=runs_of_table(table))


def results_source(results: Sequence[Result]) -> Source:
    """The successful runs of `results`; failed ones become findings, never dropped in silence."""
    # What a selection read on val, after training runs of any length, is no measurement on test.
    results = [result for result in with_named_controls(results) if result.evaluated_on != "val"]
    good = [result for result in results if result.status == "ok"]
    table = results_table(good)
    table["cost_images"] = pd.Series([r.cost.get("images") for r in good], dtype=float)
    table["cost_memory_bytes"] = pd.Series([r.cost.get("peak_memory_bytes") for r in good], dtype=float)
    table["standard_error"] = pd.Series(standard_errors(good), dtype=float)
    findings, networks = run_findings(results), run_networks(good)
    return Source(table, run_provenance(good), findings, networks, runs_of_results(results))


def with_targets(table: pd.DataFrame, targets: pd.DataFrame, target: str) -> tuple[pd.DataFrame, tuple[Finding, ...]]:
    """Put published targets beside proxies measured here.

    Names match up to upper and lower case, `_` and `-`; what the two sides do not share is said.

    Args:
        table: Long table of proxies; its own rows of the target give way to none, so it must have none.
        targets: Long table with the target.
        target: Name of the target protocol.

    Returns:
        The joined long table, and one finding per kind of name that found no partner.

    Raises:
        UserError: The target is not in `targets`, is also in `table`, or nothing matches.
    """
    if target not in set(targets["protocol"]):
        raise UserError(f"target {target!r} is not in the file of targets; it has {choices(set(targets['protocol']))}")
    if target in set(table["protocol"]):
        raise UserError(f"the sources already have values of the target {target!r}; omit the file of targets")
    targets, findings = targets[targets["protocol"] == target].copy(), []
    for column in ("checkpoint", "task"):
        ours = {plain(str(name)): str(name) for name in table[column]}
        targets[column] = [ours.get(plain(str(name)), str(name)) for name in targets[column]]
        for side, lone in (
            ("the published targets", sorted(set(targets[column]) - set(table[column]))),
            ("the sources", sorted(set(table[column]) - set(targets[column]))),
        ):
            if lone:
                sentence = f"only {side} have the {column} {', '.join(lone)}; proxies cannot be judged there"
                findings.append(Finding("MB208", sentence))
    shared = set(zip(table["checkpoint"], table["task"], strict=True))
    kept = [cell in shared for cell in zip(targets["checkpoint"], targets["task"], strict=True)]
    if not any(kept):
        raise UserError(
            f"no published target matches a checkpoint and task of the sources; they have the checkpoints "
            f"{choices(set(table['checkpoint']))} and the tasks {choices(set(table['task']))}"
        )
    return pd.concat([table, targets[kept]], ignore_index=True), tuple(findings)
