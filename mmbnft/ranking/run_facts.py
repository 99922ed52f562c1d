"""What results tell beyond their values: rows of runs, provenance, networks."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any, NamedTuple

import pandas as pd

from mmbnft.results import Result, search_summary

# Keys of a result's details that identify what was run.
_KEPT = ("versions", "hashes", "certificate")
# Points of a training curve that a picture of it needs.
_CURVE = 24


class Run(NamedTuple):
    """One run as the rows of a page show it.

    Attributes:
        checkpoint: Name; so are task and protocol.
        task: Task.
        protocol: Protocol.
        repeat: Split and seed in words, "" if unknown.
        value: The value with its unit.
        chosen: What was chosen on val, in words.
        seconds: Cost; None if unknown.
        file: Name of the result file.
        curve: Training loss, thinned.
        certificate: What was loaded, in words.
    """

    checkpoint: str
    task: str
    protocol: str
    repeat: str
    value: str
    chosen: str = ""
    seconds: float | None = None
    file: str = ""
    curve: tuple[float, ...] = ()
    certificate: str = ""


def runs_of_results(results: Sequence[Result]) -> tuple[Run, ...]:
    """Every result, failed ones included."""
    return tuple(
        Run(
            result.checkpoint,
            result.task,
            result.protocol,
            f"split {result.split}, seed {result.seed}",
            result.shown_value if result.status == "ok" else f"failed ({result.kind}): {result.reason}",
            ", ".join(f"{k} {v:g}" if isinstance(v, float) else f"{k} {v}" for k, v in _dict(result, "chosen").items()),
            result.cost.get("seconds"),
            result.file_name,
            _curve(result),
            _certificate(_dict(result, "certificate")),
        )
        for result in results
    )


def runs_of_table(table: pd.DataFrame) -> tuple[Run, ...]:
    """The rows of a long table that are values."""
    keys = [name for name in ("split", "seed") if name in table]
    return tuple(
        Run(
            row["checkpoint"],
            row["task"],
            row["protocol"],
            ", ".join(f"{k} {row[k]}" for k in keys),
            f"{row['value']:g}",
        )
        for row in table.to_dict("records")
        if pd.notna(row["value"])
    )


def _dict(result: Result, name: str) -> dict[str, Any]:
    found = result.details.get(name)
    return found if isinstance(found, dict) else {}


def _curve(result: Result) -> tuple[float, ...]:
    losses = [point.get("loss") for point in result.details.get("curve") or [] if isinstance(point, dict)]
    known = [float(f"{loss:.4g}") for loss in losses if isinstance(loss, (int, float))]
    return tuple(known[:: max(1, -(-len(known) // _CURVE))])


def _certificate(told: dict[str, Any]) -> str:
    if not told:
        return ""
    whole = "partially" if told.get("partial") else "completely"
    source = told.get("normalisation_source") or told.get("normalisation_known_from") or "unknown"
    return (
        f"{told.get('matched')} of {told.get('expected')} tensors, loaded {whole}; format {told.get('format')}; "
        f"normalisation from: {source}; SHA-256 {str(told.get('sha256', ''))[:16]}"
    )


def run_provenance(results: Sequence[Result]) -> dict[str, Any]:
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
    if partial := sorted({result.checkpoint for result in results if is_partial(result)}):
        found["partially loaded"] = partial
    if searches := _searches(results):
        found["val over the search grid, mean over runs (%)"] = searches
    return found


def is_partial(result: Result) -> bool:
    """Whether its checkpoint lacked tensors of the network."""
    certificate = result.details.get("certificate")
    return isinstance(certificate, dict) and bool(certificate.get("partial"))


def run_networks(results: Sequence[Result]) -> dict[str, dict[str, Any]]:
    """Checkpoint to its network: `name`, `parameters`, `multiply_adds` (mean over runs) and `norms`, where known."""
    found: dict[str, dict[str, Any]] = {}
    passes: dict[str, list[float]] = {}
    for result in results:
        network = _dict(result, "network") or {"parameters": _dict(result, "certificate").get("parameters")}
        found.setdefault(result.checkpoint, {}).update((k, v) for k, v in network.items() if v is not None)
        if network.get("multiply_adds"):
            passes.setdefault(result.checkpoint, []).append(float(network["multiply_adds"]))
    for name, counts in passes.items():
        found[name]["multiply_adds"] = fmean(counts)
    return {name: network for name, network in found.items() if network}


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
