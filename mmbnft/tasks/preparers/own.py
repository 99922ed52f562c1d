"""Your own data: class folders or lists, divided by a seeded draw or as you say."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torchvision.datasets.folder import IMG_EXTENSIONS

from mmbnft.tasks.metrics import METRICS
from mmbnft.tasks.preparers.archives import unpack
from mmbnft.tasks.preparers.base import Entry, Lists, Preparer, Reading, single_labels
from mmbnft.tasks.preparers.draws import hold_out, pick, stratified
from mmbnft.tasks.preparers.facts import Archive, Counts, Facts
from mmbnft.tasks.preparers.preparation import Prepared, finish
from mmbnft.tasks.preparers.readers import class_folders, lines_of
from mmbnft.tasks.preparers.state import State
from mmbnft.utils.errors import UserError, choices


@dataclass(frozen=True)
class OwnData:
    """Where your data is and how it is to be divided.

    Attributes:
        images: Image folder.
        name: Name of the task.
        lists: No list: classes are the sub-folders of `images`. One: it is divided 60/20/20. Two: train and test; 20 %
            of train become val. Three: train, val and test as they are. Lines are `RELATIVE/NAME CLASS`.
        groups: File of `RELATIVE/NAME GROUP` lines; images of a group (one patient, one plant) stay in one part.
        metric: A key of `METRICS`.
        seed: Seed of the draw.
    """

    images: Path
    name: str
    lists: tuple[Path, ...] = ()
    groups: Path | None = None
    metric: str = "top1"
    seed: int = 0

    def __post_init__(self) -> None:
        """Check what a person may have mistyped."""
        if not self.images.is_dir():
            raise UserError(f"there is no image folder {self.images}; give the folder of your images")
        if not self.name or not all(c.isalnum() or c in "-_." for c in self.name) or self.name.startswith("."):
            raise UserError(f"the name {self.name!r} must be letters, digits, '-', '_' or '.', for it names a folder")
        if len(self.lists) > 3:
            raise UserError(f"give at most three lists (train, val, test), got {len(self.lists)}")
        if self.groups is not None and len(self.lists) > 1:
            raise UserError("groups say how to divide the images, but the lists do so already; leave one of them out")
        if self.metric not in METRICS:
            raise UserError(f"unknown metric {self.metric!r}; allowed: {choices(METRICS)}")


class _OwnPreparer(Preparer):
    """Reads the lists that were drawn; its facts are what was found, so that every check has its figures."""

    def __init__(self, data: OwnData, reading: Reading) -> None:
        counts = {name: Counts(*(len(part) for part in lists)) for name, lists in reading.splits.items()}
        drawn = f"drawn with seed {data.seed}" if len(data.lists) < 3 else "as given"
        facts = Facts(
            name=data.name,
            title=data.name,
            version=f"own data, lists {drawn}" + (", groups kept together" if data.groups else ""),
            source="own data",
            classes=len(reading.classes),
            metric=data.metric,
            counts=counts,
            archives=(Archive("*"),),
            licence="your own",
        )
        super().__init__(facts)
        self._reading = reading

    def read(self, images: Path) -> Reading:
        """See `Preparer`."""
        return self._reading


def prepare_own(data: OwnData, root: Path | str, check: bool = False) -> Prepared:
    """Make `root/NAME` a prepared task of your own images, which are linked or copied there.

    Args:
        data: Where the images are and how they are divided.
        root: Folder of all data sets.
        check: Decode every image again, also those that decoded before.

    Raises:
        UserError: An image, list or group is missing or wrong, or a class is too small to be divided.
    """
    folder = Path(root) / data.name
    if folder.resolve() == data.images.resolve() or data.images.resolve() in folder.resolve().parents:
        raise UserError(f"the task folder {folder} would lie in your image folder; choose another --root or --name")
    reading = _read(data)
    if len(reading.classes) < 2:
        raise UserError(f"{data.name} has the one class {reading.classes[0]!r}; a task needs at least two")
    unpack(data.images, folder / "images")
    return finish(_OwnPreparer(data, reading), folder, State(folder), check)


def ignored_files(data: OwnData, reading: Reading) -> list[Path]:
    """Files of the image folder that no list names: the suffix is none of an image, or a list leaves them out."""
    listed = set(reading.names())
    found = sorted(path for path in data.images.rglob("*") if path.is_file())
    return [path for path in found if path.relative_to(data.images).as_posix() not in listed]


def _read(data: OwnData) -> Reading:
    if not data.lists:
        classes, entries = class_folders(data.images, data.images, IMG_EXTENSIONS)
        return Reading(classes, {"own": _divide(entries, data, classes)})
    rows = [_rows(path) for path in data.lists]
    classes = _classes([row for part in rows for row in part])
    parts = [[Entry(name, classes.index(label)) for name, label in part] for part in rows]
    if len(parts) == 1:
        return Reading(classes, {"own": _divide(parts[0], data, classes)})
    if len(parts) == 2:
        kept, held = hold_out(len(parts[0]), seed=data.seed)
        return Reading(classes, {"own": Lists([parts[0][i] for i in kept], [parts[0][i] for i in held], parts[1])})
    return Reading(classes, {"own": Lists(*parts)})


def _divide(entries: Sequence[Entry], data: OwnData, classes: Sequence[str]) -> Lists:
    groups = _groups(data.groups, entries) if data.groups else None
    labels = single_labels(entries)
    for label, name in enumerate(classes):
        if labels.count(label) < 3:
            raise UserError(f"class {name!r} has {labels.count(label)} images; a split needs at least 3 of each class")
    lists = pick(entries, stratified(labels, groups, data.seed))
    for part in ("train", "test"):
        empty = set(range(len(classes))) - set(single_labels(getattr(lists, part)))
        if empty:
            raise UserError(
                f"class {classes[min(empty)]!r} has too few groups to be in train, val and test; add groups to it, "
                "leave it out, or give lists of your own"
            )
    return lists


def _rows(path: Path) -> list[tuple[str, str]]:
    """`NAME FIELD` lines, cut at the last space: names may hold spaces, classes and groups may not."""
    rows = []
    for line_number, line in enumerate(lines_of(path), start=1):
        name, _, field = line.rpartition(" ")
        if not name.strip():
            raise UserError(f"{path}, line {line_number} that is not blank: expected 'NAME CLASS', got {line!r}")
        rows.append((name.strip(), field))
    return rows


def _classes(rows: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """Class names in order: numbers by value, names in ASCII order."""
    names = {label for _, label in rows}
    if all(name.isascii() and name.isdigit() for name in names):
        return tuple(sorted(names, key=int))
    return tuple(sorted(names))


def _groups(path: Path, entries: Sequence[Entry]) -> list[str]:
    groups = dict(_rows(path))
    missing = [entry.name for entry in entries if entry.name not in groups]
    if missing:
        raise UserError(f"{path} gives no group to {len(missing)} of {len(entries)} images, the first {missing[0]!r}")
    return [groups[entry.name] for entry in entries]
