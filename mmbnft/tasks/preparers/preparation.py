"""From archives to a prepared task folder: unpack, read, check, write; a second call confirms or repairs."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np

from mmbnft.tasks.annotation import write_list
from mmbnft.tasks.preparers.archive_download import fetch_archive
from mmbnft.tasks.preparers.archives import unpack
from mmbnft.tasks.preparers.base import Entry, Preparer, Reading, numbers
from mmbnft.tasks.preparers.facts import Archive, Facts
from mmbnft.tasks.preparers.state import State, stamp
from mmbnft.tasks.preparers.verification import DamagedImagesError, check_images, check_reading
from mmbnft.utils import files
from mmbnft.utils.download import md5_file
from mmbnft.utils.errors import UserError, choices

UNFINISHED = (".part", ".etag")  # what an interrupted download leaves among the archives


@dataclass(frozen=True)
class Prepared:
    """A task folder that is ready.

    Attributes:
        folder: The folder; `list_task(root=folder)` reads it.
        reading: Classes and lists.
        decoded: Images decoded in this call; the others were confirmed by size and date.
    """

    folder: Path
    reading: Reading
    decoded: int


def prepare(
    preparer: Preparer,
    root: Path | str,
    archives: Sequence[Path | str] = (),
    fetch: bool = False,
    check: bool = False,
) -> Prepared:
    """Make `root/NAME` a prepared task.

    Args:
        preparer: The data set.
        root: Folder of all data sets.
        archives: Archives, single files, or folders holding what the archives hold; those in `root/NAME/archives`
            come on top.
        fetch: Download what is missing and published without a form.
        check: Decode every image again, also those that decoded before.

    Raises:
        UserError: Something is missing, damaged or not as published.
    """
    facts = preparer.facts
    folder = Path(root) / facts.name
    given = [Path(path) for path in archives]
    if fetch:
        given += [
            fetch_archive(archive, folder / "archives") for archive in _wanted(facts, [path.name for path in given])
        ]
    names = {path.name for path in given}
    given += sorted(p for p in (folder / "archives").glob("*") if p.suffix not in UNFINISHED and p.name not in names)
    state = State(folder)
    _require(facts, given, state, folder)
    fresh = _unpack_all(facts, given, folder, state, again=False)
    try:
        return finish(preparer, folder, state, check)
    except UserError as error:
        if fresh or not given:
            raise
        # The archives are here and were unpacked by an earlier call: what was damaged since can be put back.
        for path in error.reasons if isinstance(error, DamagedImagesError) else ():
            path.unlink(missing_ok=True)
    _unpack_all(facts, given, folder, state, again=True)
    return finish(preparer, folder, state, check)


def finish(preparer: Preparer, folder: Path, state: State, check: bool = False) -> Prepared:
    """Read and check what was unpacked in `folder`, then write lists and task.json.

    Args:
        preparer: Of the data set.
        folder: Where it was unpacked.
        state: What is done already.
        check: Whether to decode every image and look for duplicates.

    Raises:
        UserError: Something is missing, damaged or not as published.
    """
    reading = preparer.read(folder / "images")
    check_reading(preparer.facts, reading)
    if check:
        state.forget_images()
    decoded = check_images(folder / "images", reading.names(), state)
    for position, lists in enumerate(reading.splits.values()):
        for part, entries in lists._asdict().items():
            labels = _labels(entries, preparer.facts)
            write_list(list_path(folder, position, part), [entry.name for entry in entries], labels)
    _write_description(preparer.facts, folder, reading, state)
    return Prepared(folder, reading, decoded)


def list_path(folder: Path, split: int, part: str) -> Path:
    """The list `part` of official split number `split`.

    Args:
        folder: Folder of the task.
        split: Number of the official split.
        part: `train`, `val` or `test`.
    """
    return folder / "lists" / str(split) / f"{part}.txt"


def _require(facts: Facts, given: Sequence[Path], state: State, folder: Path) -> None:
    """Refuse to start without the required archives, unless they were unpacked before or a folder is given."""
    if any(path.is_dir() for path in given):
        return
    missing = _wanted(facts, [path.name for path in given] + list(state.archives))
    if missing:
        listed = missing if missing[0].required else facts.archives
        joint = ", " if missing[0].required else " or "
        wanted = joint.join(f"{a.name} ({a.url})" if a.url else a.name for a in listed)
        terms = f"; {facts.registration}" if facts.registration else ""
        raise UserError(
            f"{facts.name} needs {wanted} from {facts.source}{terms}; give --archive PATH or put it in "
            f"{folder / 'archives'}"
        )


def _wanted(facts: Facts, have: Sequence[str]) -> list[Archive]:
    """Archives that are still needed; of alternatives, none of them required, the first stands for all."""
    required = [archive for archive in facts.archives if archive.required]
    if not required and not have:
        return [facts.archives[0]]
    return [archive for archive in required if not any(fnmatch(name, archive.name) for name in have)]


def _unpack_all(facts: Facts, given: Sequence[Path], folder: Path, state: State, again: bool) -> bool:
    """Unpack what was not unpacked before, or everything `again`; whether anything was."""
    fresh = False
    for path in given:
        archive = _identify(facts, path)
        record = {"stamp": stamp(path), "path": str(path.resolve())}
        known = state.archives.get(path.name, {})
        if not again and path.is_file() and all(known.get(key) == value for key, value in record.items()):
            continue
        md5 = _checked_md5(archive, path)
        target = folder / "images" / archive.into
        unpack(path, target)
        for inner in archive.nested:
            if (target / inner).is_file():
                unpack(target / inner, target)
        state.archives[path.name] = {**record, "md5": md5}
        state.save()
        fresh = True
    return fresh


def _identify(facts: Facts, path: Path) -> Archive:
    if not path.exists():
        raise UserError(f"there is no archive {path}; correct the path")
    for archive in facts.archives:
        if fnmatch(path.name, archive.name):
            return archive
    if path.is_dir():
        return facts.archives[0]
    allowed = choices(archive.name for archive in facts.archives)
    raise UserError(f"{path} is not an archive of {facts.name}; expected {allowed}, or a folder of what they hold")


def _checked_md5(archive: Archive, path: Path) -> str:
    """The file's MD5, compared with the published one; empty for a folder."""
    if path.is_dir():
        return ""
    found = md5_file(path)
    if archive.md5 and found != archive.md5:
        raise UserError(
            f"{path} is truncated or another version: its MD5 is {found}, the published one {archive.md5}; "
            "download it again"
        )
    return found


def _labels(entries: Sequence[Entry], facts: Facts) -> np.ndarray:
    if not facts.multi_label:
        return np.array([entry.label for entry in entries], dtype=np.int64)
    hot = np.zeros((len(entries), facts.classes), dtype=np.uint8)
    for row, entry in enumerate(entries):
        hot[row, list(numbers(entry))] = 1
    return hot


def _write_description(facts: Facts, folder: Path, reading: Reading, state: State) -> None:
    hashes = {
        str(k): {part: files.sha256_file(list_path(folder, k, part)) for part in lists._fields}
        for k, lists in enumerate(reading.splits.values())
    }
    content: dict[str, Any] = {
        "name": facts.name,
        "title": facts.title,
        "version": facts.version,
        "source": facts.source,
        "licence": facts.licence,
        "registration": facts.registration,
        "unverified": list(facts.unverified),
        "remarks": list(facts.remarks),
        "metric": facts.metric,
        "multi_label": facts.multi_label,
        "classes": list(reading.classes),
        "split_names": list(reading.splits),
        "counts": {
            str(k): {part: len(entries) for part, entries in lists._asdict().items()}
            for k, lists in enumerate(reading.splits.values())
        },
        "list_hashes": hashes,
        "published_archives": [asdict(archive) for archive in facts.archives],
        "given_archives": {name: record["md5"] for name, record in sorted(state.archives.items())},
    }
    path = folder / "task.json"
    before = _description(path)
    if before.get("list_hashes") == hashes and "leakage" in before:
        content["leakage"] = before["leakage"]  # still about these lists
    if content != before:
        files.write_json(path, content)


def _description(path: Path) -> dict[str, Any]:
    """What an earlier call wrote; empty if it did not, or if the file was damaged since."""
    try:
        return dict(files.read_json(path))
    except (UserError, TypeError, ValueError):
        return {}
