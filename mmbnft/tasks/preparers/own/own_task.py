"""From a person's data to a prepared task folder."""

import io
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from mmbnft.tasks.file_hashes import FileHashes
from mmbnft.tasks.ledger import refuse_shared_images
from mmbnft.tasks.metrics import check_metric, check_split
from mmbnft.tasks.preparers.archives import link_or_copy, write_file
from mmbnft.tasks.preparers.base import Entry, Lists, Preparer, Reading, numbers
from mmbnft.tasks.preparers.facts import Archive, Counts, Facts
from mmbnft.tasks.preparers.own.array_files import read_arrays_file
from mmbnft.tasks.preparers.own.data import OwnData
from mmbnft.tasks.preparers.own.division import divide
from mmbnft.tasks.preparers.own.folders import SUFFIXES, is_hidden, read_folders
from mmbnft.tasks.preparers.own.found import Found, Sample, left_out
from mmbnft.tasks.preparers.own.hub import metadata_files, read_metadata, read_parquet
from mmbnft.tasks.preparers.own.lists import read_lists, read_rows
from mmbnft.tasks.preparers.own.naming import Naming
from mmbnft.tasks.preparers.own.tables import read_table
from mmbnft.tasks.preparers.preparation import Prepared, finish
from mmbnft.tasks.preparers.state import State
from mmbnft.tasks.preparers.verification import DamagedImagesError, check_images
from mmbnft.tasks.task import list_task
from mmbnft.utils.errors import UserError

Tell = Callable[[list[str]], None]


class _OwnPreparer(Preparer):
    """Reads the lists that were made; its facts are what was found, so that every check has its figures."""

    def __init__(self, data: OwnData, found: Found, reading: Reading, remarks: Sequence[str]) -> None:
        counts = {name: Counts(*(len(part) for part in lists)) for name, lists in reading.splits.items()}
        facts = Facts(
            name=data.name,
            title=data.name,
            version="own data, " + remarks[-1],
            source="own data",
            classes=len(reading.classes),
            metric=metric_of(data, found),
            counts=counts,
            archives=(Archive("*"),),
            licence="your own",
            multi_label=found.multi_label,
            remarks=tuple(remarks),
        )
        super().__init__(facts)
        self._reading = reading

    def read(self, images: Path) -> Reading:
        """See `Preparer`."""
        return self._reading


def prepare_own(data: OwnData, root: Path | str, check: bool = False, tell: Tell = lambda lines: None) -> Prepared:
    """Make `root/NAME` a prepared task of your own images, which are linked or copied there.

    Args:
        data: Where the images are and how they are divided.
        root: Folder of all data sets.
        check: Decode every image again, also those that decoded before.
        tell: Is given what was understood, before anything is written, and then what was left out besides.

    Raises:
        UserError: An image, list, table or group is missing or wrong, a class is too small to be divided, or the metric
            has no value on the lists.
    """
    folder = Path(root) / data.name
    if folder.resolve() == data.images.resolve() or data.images.resolve() in folder.resolve().parents:
        raise UserError(f"the task folder {folder} would lie in your image folder; choose another --root or --name")
    found = _without_small_classes(_read(data), data.min_images)
    _check(data, found)
    told = understood(found)
    tell(told)
    _take(found.samples, folder / "images")
    state = State(folder)
    if check:
        state.forget_images()
    found, decoded = _without_damaged(found, folder, state, data)
    found = _without_copies(_without_small_classes(found, data.min_images), folder)
    more = [remark for remark in found.remarks if remark not in told]
    tell(more)
    lists, remarks = divide(found, data.seed)
    remarks = [*found.remarks, *_check_lists(data, found, lists), *remarks]
    tell([remark for remark in remarks if remark not in (*told, *more)])
    reading = Reading(found.classes, {"own": lists})
    prepared = finish(_OwnPreparer(data, found, reading, remarks), folder, state)
    _refuse_shared(prepared)
    return replace(prepared, decoded=decoded)


def metric_of(data: OwnData, found: Found) -> str:
    """The metric asked for, or the usual one."""
    return data.metric or ("roc_auc" if found.multi_label else "top1")


def understood(found: Found) -> list[str]:
    """Images by class and split, as they were read, and every remark."""
    counts = Counter(label for sample in found.samples for label in sample.labels)
    splits = Counter(sample.split for sample in found.samples)
    classes = ", ".join(f"{name} {counts[name]:,}" for name in found.classes[:20])
    more = f" and {len(found.classes) - 20} more" if len(found.classes) > 20 else ""
    lines = [f"{len(found.samples):,} images of {len(found.classes)} classes: {classes}{more}"]
    if set(splits) != {""}:
        lines.append("splits: " + ", ".join(f"{split} {count:,}" for split, count in splits.items()))
    return lines + list(found.remarks)


def _read(data: OwnData) -> Found:
    if data.arrays:
        return read_arrays_file(data.images)
    if data.parquet is not None:
        return read_parquet(data.parquet, data.separator, data.label_column)
    if data.table is not None:
        found = read_table(data.table, data.images, data.separator, data.label_column)
    elif data.lists:
        found = read_lists(data.lists, data.images)
    else:
        metadata = metadata_files(data.images)
        described = metadata and read_metadata(metadata, data.images, data.separator, data.label_column)
        found = described or read_folders(data.images)
    if data.groups is not None:
        found = _with_groups(found, data.groups, data.images)
    return (
        found if not (data.lists or data.table or metadata_files(data.images)) else _with_unlisted(found, data.images)
    )


def _with_groups(found: Found, path: Path, images: Path) -> Found:
    rows, remarks = read_rows(path, images)
    naming = Naming(images, [row.name for row in rows])
    groups = {naming.name(row.name, f"{path}:{row.line}"): row.field for row in rows}
    missing = [sample.name for sample in found.samples if sample.name not in groups]
    if missing:
        count = len(found.samples)
        raise UserError(f"{path} gives no group to {len(missing)} of {count} images, the first {missing[0]!r}; add it")
    samples = tuple(sample._replace(group=groups[sample.name]) for sample in found.samples)
    return replace(found, samples=samples, remarks=(*found.remarks, *remarks))


def _with_unlisted(found: Found, images: Path) -> Found:
    """A remark on images that the lists leave out."""
    listed = {sample.name for sample in found.samples}
    names = [
        path.relative_to(images).as_posix() for path in sorted(images.rglob("*")) if path.suffix.lower() in SUFFIXES
    ]
    unlisted = [name for name in names if name not in listed and not any(map(is_hidden, name.split("/")))]
    remarks = [left_out(len(unlisted), "images in no list", unlisted)] if unlisted else []
    return replace(found, remarks=(*found.remarks, *remarks))


def _without_small_classes(found: Found, least: int) -> Found:
    counts = Counter(label for sample in found.samples for label in sample.labels)
    small = [name for name in found.classes if counts[name] < least]
    if not small:
        return found
    shown = [f"{name} {counts[name]}" for name in small]
    remark = left_out(len(small), f"classes with fewer than {least} images", shown)
    kept = tuple(
        sample._replace(labels=tuple(label for label in sample.labels if label not in small))
        for sample in found.samples
        if found.multi_label or sample.labels[0] not in small
    )
    classes = tuple(name for name in found.classes if name not in small)
    return replace(found, samples=kept, classes=classes, remarks=(*found.remarks, remark))


def _check(data: OwnData, found: Found) -> None:
    if len(found.classes) < 2:
        only = f"the one class {found.classes[0]!r}" if found.classes else "no class"
        raise UserError(f"{data.name} has {only}; a task needs at least two, so give the folder or list that has them")
    if not any(not isinstance(sample.content, Path) or sample.content.is_file() for sample in found.samples):
        raise UserError(
            f"none of the {len(found.samples)} names is a file below {data.images}, e.g. {found.samples[0].name!r}; "
            "correct --images, or give a file of more than two columns to the command csv"
        )
    check_metric(metric_of(data, found), found.multi_label, data.name)


def _check_lists(data: OwnData, found: Found, lists: Lists) -> list[str]:
    """Refuse lists that give no value; remarks on classes that val lacks."""
    remarks = []
    for part, entries in lists._asdict().items():
        counts = _class_counts(entries, len(found.classes))
        missing = [name for name, count in zip(found.classes, counts, strict=True) if not count]
        if missing and part != "val":
            others = "test" if part == "train" else "train"
            raise UserError(
                f"{data.name}: class {missing[0]!r} has no {part} image; give it some, or take it out of {others}"
            )
        if part != "train":
            check_split(metric_of(data, found), counts, len(entries), found.classes, f"{data.name}, {part}")
        if missing:
            remarks.append(
                left_out(len(missing), "classes without an image in val", missing).removeprefix("left out, ")
            )
    return remarks


def _class_counts(entries: Sequence[Entry], classes: int) -> np.ndarray:
    return np.bincount([number for entry in entries for number in numbers(entry)], minlength=classes)


def _take(samples: Sequence[Sample], images: Path) -> None:
    """Put the images below the task's folder: links where the disk allows them, copies, or PNG files of arrays."""
    for sample in samples:
        place = images / sample.name
        if isinstance(sample.content, Path):
            if sample.content.is_file():  # what is missing is told with everything damaged
                link_or_copy(sample.content.resolve(), place)
            else:
                place.unlink(missing_ok=True)
        elif isinstance(sample.content, bytes):
            write_file(place, sample.content)
        else:
            stream = io.BytesIO()
            Image.fromarray(sample.content).save(stream, "PNG")
            write_file(place, stream.getvalue())


def _without_damaged(found: Found, folder: Path, state: State, data: OwnData) -> tuple[Found, int]:
    """The images that decode, and how many were decoded now."""
    try:
        return found, check_images(folder / "images", [sample.name for sample in found.samples], state)
    except DamagedImagesError as error:
        damaged = {path.relative_to(folder / "images").as_posix(): reason for path, reason in error.reasons.items()}
        if not data.skip_damaged:
            listed = "; ".join(f"{name} {reason}" for name, reason in damaged.items())
            raise UserError(
                f"{len(damaged)} of {len(found.samples)} images are missing or damaged: {listed}; replace them, or "
                "leave them out with --skip-damaged"
            ) from error
    kept = tuple(sample for sample in found.samples if sample.name not in damaged)
    remarks = tuple(f"left out, damaged: {name} {reason}" for name, reason in damaged.items())
    used = {label for sample in kept for label in sample.labels}
    gone = [name for name in found.classes if name not in used]
    if gone:
        remarks += (left_out(len(gone), "classes whose images are all damaged", gone),)
    classes = tuple(name for name in found.classes if name in used)
    return replace(found, samples=kept, classes=classes, remarks=(*found.remarks, *remarks)), len(kept)


def _without_copies(found: Found, folder: Path) -> Found:
    """Of equal files of one class the first, and none that contradict each other, where a draw could divide them."""
    if any(sample.split for sample in found.samples):
        return found
    contents = FileHashes(folder / "images").of([sample.name for sample in found.samples])
    labels: dict[str, set[tuple[str, ...]]] = {}
    for sample, content in zip(found.samples, contents, strict=True):
        labels.setdefault(content, set()).add(sample.labels)
    contradictory = {content for content, own in labels.items() if len(own) > 1}
    first: dict[tuple[str, tuple[str, ...]], str] = {}
    kept, copies, disputed = [], [], []
    for sample, content in zip(found.samples, contents, strict=True):
        original = first.setdefault((content, sample.labels), sample.name)
        if content in contradictory:
            disputed.append(sample.name)
        elif original == sample.name:
            kept.append(sample)
        else:
            copies.append(f"{sample.name} = {original}")
    remarks = list(found.remarks)
    if copies:
        remarks.append(left_out(len(copies), "copies of another image of the class", copies))
    if disputed:
        remarks.append(left_out(len(disputed), "equal images with different labels", disputed))
    return replace(found, samples=tuple(kept), remarks=tuple(remarks))


def _refuse_shared(prepared: Prepared) -> None:
    """Refuse now what every run would refuse."""
    try:
        refuse_shared_images(list_task(str(prepared.folder)))
    except UserError:
        (prepared.folder / "task.json").unlink()  # so that nobody takes it for a prepared task
        raise
