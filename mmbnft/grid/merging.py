"""One store from several, for a grid that several machines have shared."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmbnft.grid.listing import results_folder
from mmbnft.grid.store import ResultStore
from mmbnft.results import Result, read_result
from mmbnft.utils.errors import UserError


@dataclass(frozen=True)
class Merged:
    """What a merge did.

    Attributes:
        added: Results that are new in the target.
        replaced: Failed results of the target that gave way to one that is ok.
        kept: Results that were there, or came more than once.
    """

    added: int
    replaced: int
    kept: int


def merge_stores(sources: Sequence[Path], into: Path) -> Merged:
    """Copy results into one store; nothing is written unless everything fits together.

    Of a run that several stores have, a result that is ok beats a failed one, and equal values count once.

    Args:
        sources: Folders of benchmarks, or results folders.
        into: The same; made if needed, and what it holds takes part.

    Raises:
        UserError: A folder or a file cannot be read, or two stores have different values for the same run.
    """
    target = results_folder(into) if into.is_dir() else into
    chosen = _located(target) if target.is_dir() else {}
    before, seen = dict(chosen), 0
    for source in sources:
        folder = results_folder(source)
        if folder.resolve() == target.resolve():
            continue
        for key, found in _located(folder).items():
            seen += 1
            chosen[key] = _better(chosen[key], found) if key in chosen else found
    store, news = ResultStore(target), {key: item for key, item in chosen.items() if before.get(key) != item}
    for key, (path, result) in news.items():
        store.write(result)
        old = before.get(key)
        if old is not None and old[0].name != path.name:
            old[0].unlink()
    replaced = sum(key in before for key in news)
    return Merged(len(news) - replaced, replaced, seen - len(news))


def _located(folder: Path) -> dict[str, tuple[Path, Result]]:
    located: dict[str, tuple[Path, Result]] = {}
    for path in sorted(folder.glob("*.json")):
        result = read_result(path)
        item = (path, result)
        located[result.key] = _better(located[result.key], item) if result.key in located else item
    return located


def _better(first: tuple[Path, Result], second: tuple[Path, Result]) -> tuple[Path, Result]:
    (path, result), (other_path, other) = first, second
    if result.status != other.status:
        return first if result.status == "ok" else second
    if result.value != other.value:
        raise UserError(
            f"{path} says {result.value} and {other_path} says {other.value} for the same run; nothing was merged, "
            "delete the one that is wrong"
        )
    return first
