"""What results tell beyond their values: failures, recipes, certificates, leakage, costs."""

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any, NamedTuple

import pandas as pd

from mmbnft.ranking.checks import Finding
from mmbnft.ranking.search_range import narrow_searches
from mmbnft.results import Result, search_summary
from mmbnft.utils.errors import choices
from mmbnft.utils.wording import counted

# Keys of a result's details that identify what was run.
_KEPT = ("versions", "hashes", "certificate")
# Points of a training curve that a picture of it needs.
_CURVE = 24
# Runs named in one finding before it says how many more there are.
_NAMED = 3


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


def run_findings(results: Sequence[Result]) -> tuple[Finding, ...]:
    """Every check that reads the runs themselves, failed ones included."""
    good = [result for result in results if result.status == "ok"]
    checks: tuple[Callable[[Sequence[Result]], list[Finding]], ...] = (
        _partial,
        _normalisation,
        _leakage,
        _recipes,
        _micro_batches,
        _diverged,
        narrow_searches,
    )
    return (*_failed(results), *(finding for check in checks for finding in check(good)))


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
    if partial := sorted({result.checkpoint for result in results if _is_partial(result)}):
        found["partially loaded"] = partial
    if searches := _searches(results):
        found["val over the search grid, mean over runs (%)"] = searches
    return found


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


def _failed(results: Sequence[Result]) -> list[Finding]:
    by_kind: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        if result.status == "failed":
            by_kind.setdefault((result.kind, result.reason), []).append(result)
    return [
        Finding("MB104", f"{len(runs)} of {len(results)} runs failed ({kind}): {_named(runs)}: {reason}")
        for (kind, reason), runs in by_kind.items()
    ]


def _is_partial(result: Result) -> bool:
    certificate = result.details.get("certificate")
    return isinstance(certificate, dict) and bool(certificate.get("partial"))


def _partial(results: Sequence[Result]) -> list[Finding]:
    names = sorted({result.checkpoint for result in results if _is_partial(result)})
    sentence = f"{', '.join(names)} lacked tensors of its network; these kept their random initialisation"
    return [Finding("MB101", sentence)] if names else []


def _normalisation(results: Sequence[Result]) -> list[Finding]:
    sources: dict[str, set[str]] = {}
    for result in results:
        certificate, told = result.details.get("certificate"), result.details.get("normalisation")
        source = told.get("known_from") if isinstance(told, dict) else None
        if source is None and isinstance(certificate, dict):
            source = certificate.get("normalisation_known_from")
        # A file that proves its normalisation is as good as the catalogue.
        if source and source not in ("catalogue", "file"):
            sources.setdefault(str(source), set()).add(result.checkpoint)
    words = {"stated": "was stated by the user", "assumed": "was assumed"}
    return [
        Finding("MB102", f"the input normalisation of {', '.join(sorted(names))} {words.get(source, f'is {source}')}")
        for source, names in sorted(sources.items())
    ]


def _leakage(results: Sequence[Result]) -> list[Finding]:
    counts: dict[tuple[str, int], tuple[int, int, str]] = {}
    for result in results:
        told = result.details.get("leakage")
        if isinstance(told, dict):
            pair = int(told.get("exact") or 0), int(told.get("near") or 0)
            if any(pair):
                between = told.get("between")
                where = ", ".join(between) if isinstance(between, dict) and between else "train, val and test"
                counts[result.task, result.split] = (*pair, where)
    return [
        Finding("MB103", f"{task}, split {split}: {exact} exact and {near} near duplicates between {where}")
        for (task, split), (exact, near, where) in sorted(counts.items())
    ]


def _recipes(results: Sequence[Result]) -> list[Finding]:
    recipes: dict[str, set[str]] = {}
    for result in results:
        recipes.setdefault(result.protocol, set()).add(result.recipe)
    findings = [
        Finding("MB105", f"{protocol} was run with different recipes ({choices(names)}): its values are not comparable")
        for protocol, names in sorted(recipes.items())
        if len(names) > 1
    ]
    if len({name for names in recipes.values() for name in names}) > 1:
        listed = "; ".join(f"{protocol}: {choices(names)}" for protocol, names in sorted(recipes.items()))
        sentence = f"protocols used different recipes, which may explain differences between them ({listed})"
        findings.append(Finding("MB106", sentence))
    return findings


def _micro_batches(results: Sequence[Result]) -> list[Finding]:
    split = [result for result in results if (result.details.get("accumulation") or 1) > 1]
    sentence = f"{counted(len(split), 'run')} split every batch into micro-batches for lack of memory: {_named(split)}"
    return [Finding("MB107", f"{sentence}; batch statistics come from the micro-batches")] if split else []


def _diverged(results: Sequence[Result]) -> list[Finding]:
    found = []
    for result in results:
        told = result.details.get("diverged_episodes")
        number = len(told) if isinstance(told, (list, tuple, dict)) else int(told or 0)
        if number:
            sentence = f"{_label(result)}: {number} episodes diverged on their support images and count as chance"
            found.append(Finding("MB108", sentence))
    return found


def _named(results: Sequence[Result]) -> str:
    more = f" and {len(results) - _NAMED} more" if len(results) > _NAMED else ""
    return "; ".join(_label(result) for result in results[:_NAMED]) + more


def _label(result: Result) -> str:
    return f"{result.protocol} of {result.checkpoint} on {result.task} (split {result.split}, seed {result.seed})"


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
