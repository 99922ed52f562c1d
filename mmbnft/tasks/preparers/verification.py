"""Whether what was read is what was published: counts, labels, disjoint lists, decodable images."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmbnft.tasks.decoding import decode_rgb
from mmbnft.tasks.preparers.base import Entry, Lists, Reading, numbers
from mmbnft.tasks.preparers.facts import Counts, Facts
from mmbnft.tasks.preparers.state import State
from mmbnft.tasks.progress_bars import in_threads
from mmbnft.utils.errors import UserError, choices

SAVE_EVERY = 5000  # images between two savings of what was decoded


class DamagedImagesError(UserError):
    """Listed images are missing or do not decode.

    Attributes:
        reasons: What is wrong with each, by its file.
    """

    def __init__(self, message: str, reasons: Mapping[Path, str]) -> None:
        super().__init__(message)
        self.reasons = dict(reasons)


def check_reading(facts: Facts, reading: Reading) -> None:
    """Compare classes and lists with the official figures.

    Raises:
        UserError: Something differs; the message says what was expected and what was found.
    """
    if len(reading.classes) != facts.classes or len(set(reading.classes)) != facts.classes:
        raise UserError(
            f"{facts.name}: expected {facts.classes} classes, found {len(set(reading.classes))} in what was given; "
            "give the whole official archive"
        )
    if list(reading.splits) != list(facts.counts):
        raise UserError(
            f"{facts.name}: expected the splits {choices(facts.counts)}, found {choices(reading.splits)}; "
            "give every official list"
        )
    for split, lists in reading.splits.items():
        where = f"{facts.name}, split {split}"
        _check_disjoint(where, lists)
        _check_counts(where, facts.counts[split], lists)
        _check_labels(where, facts.classes, lists)
    _check_totals(facts, reading)


def _check_disjoint(where: str, lists: Lists) -> None:
    seen: dict[str, str] = {}
    for part, entries in lists._asdict().items():
        for entry in entries:
            if entry.name in seen:
                raise UserError(
                    f"{where}: {entry.name} is in {seen[entry.name]} and again in {part}; every image belongs to one "
                    "list, so get the official lists"
                )
            seen[entry.name] = part


def _check_counts(where: str, expected: Counts, lists: Lists) -> None:
    for part, count, entries in zip(Counts._fields, expected, lists, strict=True):
        if count is not None and count != len(entries):
            raise UserError(
                f"{where}: expected {count} {part} images, found {len(entries)}; give the whole official archive"
            )


def _check_labels(where: str, classes: int, lists: Lists) -> None:
    for part, entries in lists._asdict().items():
        present: set[int] = set()
        for entry in entries:
            wrong = [c for c in numbers(entry) if not 0 <= c < classes]
            if wrong:
                raise UserError(f"{where}: {entry.name} has class {wrong[0]}; expected 0 to {classes - 1}")
            present.update(numbers(entry))
        missing = sorted(set(range(classes)) - present)
        if missing and part != "val":
            raise UserError(f"{where}: no {part} image of class {missing[0]}; expected images of all {classes} classes")


def _check_totals(facts: Facts, reading: Reading) -> None:
    entries = {entry.name: entry for lists in reading.splits.values() for part in lists for entry in part}
    if facts.images is not None and facts.images != len(entries):
        raise UserError(
            f"{facts.name}: expected {facts.images} images in all, found {len(entries)} in the lists; "
            "give the whole official archive"
        )
    if facts.images_per_class is None:
        return
    found = _count(list(entries.values()))
    for position, name in enumerate(reading.classes):
        whole = facts.images_per_class
        expected = whole if isinstance(whole, int) else whole.get(name)
        if expected is not None and found[position] != expected:
            raise UserError(
                f"{facts.name}: expected {expected} images of class {name!r}, found {found[position]}; "
                "give the whole official archive"
            )


def check_images(folder: Path, names: Sequence[str], state: State) -> int:
    """Decode every image whose size or date changed since it last decoded.

    Args:
        folder: What `names` are relative to.
        names: Images to decode.
        state: Remembers what decoded; saved on the way, so that an interrupted check continues.

    Returns:
        Number of images decoded in this call.

    Raises:
        DamagedImagesError: Images are missing or damaged; the message lists all of them.
    """
    todo = [name for name in names if not state.is_known(folder, name)]
    failures: dict[Path, str] = {}
    try:
        results = in_threads(lambda name: _failure(folder / name), todo, "decoding")
        for count, (name, failure) in enumerate(zip(todo, results, strict=True), start=1):
            if failure:
                failures[folder / name] = failure
            else:
                state.remember(folder, name)
            if count % SAVE_EVERY == 0:
                state.save()
    finally:
        state.save()
    if failures:
        listed = "; ".join(f"{path} {reason}" for path, reason in failures.items())
        raise DamagedImagesError(f"{len(failures)} of {len(names)} images are missing or damaged: {listed}", failures)
    return len(todo)


def _failure(path: Path) -> str:
    """Why an image does not decode; empty if it does."""
    try:
        decode_rgb(path)
    except UserError as error:
        missing = isinstance(error.__cause__, FileNotFoundError)
        return "does not exist" if missing else f"cannot be decoded ({error.__cause__})"
    return ""


def class_balance(reading: Reading, split: str) -> list[tuple[str, int, int, int]]:
    """Images per class of one split, as rows (class name, train, val, test)."""
    counts = [_count(entries) for entries in reading.splits[split]]
    return [(name, counts[0][c], counts[1][c], counts[2][c]) for c, name in enumerate(reading.classes)]


def _count(entries: Sequence[Entry]) -> Counter[int]:
    return Counter(number for entry in entries for number in numbers(entry))
