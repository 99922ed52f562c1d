"""One store from several, for a grid that several machines have shared."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmbnft.artifacts import copy_artifacts
from mmbnft.grid.store import ResultStore
from mmbnft.result_files import is_archive, read_results, results_folder
from mmbnft.results import Result
from mmbnft.utils.errors import UserError

OTHERS = "other_values"


@dataclass(frozen=True)
class Merged:
    """What a merge did.

    Attributes:
        added: Results that are new in the target.
        replaced: Failed results of the target that gave way to one that is ok.
        kept: Results that were there, or came more than once.
        notes: One sentence for each run whose results have different values.
    """

    added: int
    replaced: int
    kept: int
    notes: tuple[str, ...] = ()


def merge_stores(sources: Sequence[Path], into: Path) -> Merged:
    """Copy results into one store; nothing is written unless everything fits together.

    Of a run that several stores have, a result that is ok beats a failed one, and equal values count once. Where values
    differ, as between machines that add up in another order, the first counts, that of the target before those of the
    sources, and folders before archives; it keeps the others in its details under `other_values`.

    Args:
        sources: Folders of benchmarks, results folders, or archives of results.
        into: Folder of a benchmark, which finds the results there, or a results folder; made if needed, and what it
            holds takes part.

    Raises:
        UserError: A folder or a file cannot be read, or `into` is an archive.
    """
    target = _target(into)
    chosen = _by_key(target) if target.is_dir() else {}
    before, seen = dict(chosen), 0
    for source in sorted(sources, key=is_archive):  # archives last: they hold less of a run than folders
        if not is_archive(source) and results_folder(source).resolve() == target.resolve():
            continue
        for key, found in _by_key(source).items():
            seen += 1
            chosen[key] = _better(chosen[key], found) if key in chosen else found
    store, news = ResultStore(target), {key: result for key, result in chosen.items() if before.get(key) != result}
    for result in news.values():
        if result.folder is not None:
            copy_artifacts(result.folder, target, result.key)
        store.write(result)
    replaced = sum(_is_failed(before, key) and not _is_failed(chosen, key) for key in news)
    added = sum(key not in before for key in news)
    notes = tuple(_note(result) for result in chosen.values() if OTHERS in result.details)
    return Merged(added, replaced, seen - added - replaced, notes)


def _target(into: Path) -> Path:
    """The results folder that `into` is, or that it has or will have as the folder of a benchmark."""
    if is_archive(into):
        raise UserError(f"results are merged into a folder, got the archive {into}; name a folder as the last")
    is_results = into.name == "results" or any(into.glob("*__*.json"))
    return into if is_results and not (into / "results").is_dir() else into / "results"


def _is_failed(results: dict[str, Result], key: str) -> bool:
    return key in results and results[key].status == "failed"


def _note(result: Result) -> str:
    others = result.details[OTHERS]
    listed = ", ".join(f"{other['value']!r} on {other['device'] or 'an unknown device'}" for other in others)
    own = result.cost.get("device") or "an unknown device"
    name = f"{result.checkpoint} {result.task} {result.protocol}"
    return f"{name} split {result.split} seed {result.seed}: kept {result.value!r} on {own}, not {listed}"


def _by_key(source: Path) -> dict[str, Result]:
    results: dict[str, Result] = {}
    for result in read_results(source):
        results[result.key] = _better(results[result.key], result) if result.key in results else result
    return results


def _better(result: Result, other: Result) -> Result:
    if result.status != other.status:
        return result if result.status == "ok" else other
    known = [result.value, *(entry["value"] for entry in result.details.get(OTHERS, ()))]
    found = [{"value": other.value, "device": other.cost.get("device")}, *other.details.get(OTHERS, ())]
    fresh = [entry for entry in found if result.status == "ok" and entry["value"] not in known]
    if not fresh:
        return result
    details = result.details | {OTHERS: [*result.details.get(OTHERS, ()), *fresh]}
    return dataclasses.replace(result, details=details)
