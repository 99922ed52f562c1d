"""A task: a downstream data set with one official split, its classes and its metric."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mmbnft.tasks.annotation import read_list
from mmbnft.tasks.images import Images, JoinedImages, ListedImages
from mmbnft.tasks.metrics import check_metric, check_split
from mmbnft.tasks.task_names import check_task_name
from mmbnft.utils import files
from mmbnft.utils.errors import UserError, choices, meant

EXAMPLES = 5  # pairs of duplicates that a result names
SPLITS = ("train", "val", "test")
JOINED = {"trainval": ("train", "val"), "all": SPLITS}


@dataclass(frozen=True)
class Task:
    """Train, val and test images of one data set and one official split.

    Attributes:
        name: Task name, as it appears in results.
        classes: Class names; the position is the class number.
        metric: Name of the metric, a key of `METRICS`.
        splits: Images by `train`, `val` and `test`.
        split: Number of the official split.
        multi_label: Whether an image may carry several classes.
        leakage_record: What task.json says about duplicates across its lists; `leakage` holds it against the images.
        whole: The images of the whole lists, if the splits are only a part of them; the record is about these.

    Raises:
        UserError: The name cannot be part of a file name; the metric is unknown, does not fit the kind of labels, or
            has no value on val or test; labels do not fit the classes; or a class has no train or test image.
    """

    name: str
    classes: tuple[str, ...]
    metric: str
    splits: dict[str, Images]
    split: int = 0
    multi_label: bool = False
    leakage_record: Mapping[str, Any] | None = None
    whole: Mapping[str, Images] | None = None

    def __post_init__(self) -> None:
        """Check what would otherwise only show as a strange result."""
        check_task_name(self.name)
        check_metric(self.metric, self.multi_label, f"task {self.name}")
        missing = set(SPLITS) - set(self.splits)
        if missing:
            raise UserError(f"task {self.name}: the splits {choices(missing)} are missing; give all of {SPLITS}")
        for split in SPLITS:
            labels = self.splits[split].labels
            self._check_labels(split, labels)
            counts = class_counts(labels, len(self.classes))
            if split != "train":
                check_split(self.metric, counts, len(labels), self.classes, f"task {self.name}, {split}")
            empty = [self.classes[c] for c in np.flatnonzero(counts == 0)]
            if empty and split != "val":
                raise UserError(
                    f"task {self.name}: {len(empty)} of {len(self.classes)} classes have no {split} image, e.g. "
                    f"{empty[0]!r}; give each class at least one or leave it out"
                )

    def _check_labels(self, split: str, labels: np.ndarray) -> None:
        """Multi-hot rows belong to a multi-label task, class numbers to any other; both must fit the classes."""
        classes = len(self.classes)
        shape = f"(N, {classes}) multi-hot rows" if self.multi_label else "(N,) class numbers"
        if labels.ndim != (2 if self.multi_label else 1) or (self.multi_label and labels.shape[1] != classes):
            raise UserError(
                f"task {self.name}: the {split} labels must be {shape}, got the shape {labels.shape}; set multi_label "
                "and the classes as the labels are"
            )
        highest = 1 if self.multi_label else classes - 1
        if len(labels) and not (labels.min() >= 0 and labels.max() <= highest):
            raise UserError(
                f"task {self.name}: the {split} labels run from {labels.min()} to {labels.max()}, but 0 to {highest} "
                f"is allowed with {classes} classes; correct the labels or name every class"
            )

    def images(self, split: str) -> Images:
        """The images of `train`, `val` or `test`, of `trainval`, or of `all` three."""
        if split in JOINED:
            return JoinedImages([self.splits[part] for part in JOINED[split]])
        if split not in self.splits:
            raise UserError(f"unknown split {split!r} of task {self.name}; allowed: {choices([*SPLITS, *JOINED])}")
        return self.splits[split]

    @cached_property
    def content_hash(self) -> str:
        """Hex hash of what results depend on: the images' contents, labels, classes, their kind, and the metric.

        Names of files and the folder do not enter. It is computed once a task; files that did not change since they
        were last read are not read again, see `FileHashes`.

        Raises:
            UserError: A file is gone or cannot be read.
        """
        return files.sha256_json(
            {
                "classes": self.classes,
                "multi_label": self.multi_label,
                "metric": self.metric,
                "splits": {split: self.splits[split].content_hash for split in SPLITS},
            }
        )

    @cached_property
    def leakage(self) -> dict[str, Any] | None:
        """Duplicates across the lists as found at preparation; None if nobody looked, or at other images.

        Returns:
            `exact` and `near` (number of pairs), `between` (the same by two splits, e.g. `train-test`),
            `threshold_bits`, and `examples` (the first few pairs). Of a part of each list, what was found in the whole
            lists, which is an upper bound.
        """
        record, about = self.leakage_record, self.whole or self.splits
        if record is None or record.get("contents") != {part: about[part].content_hash for part in SPLITS}:
            return None
        kept = ("exact", "near", "between", "threshold_bits")
        return {name: record[name] for name in kept} | {"examples": record["pairs"][:EXAMPLES]}

    @property
    def hashes(self) -> dict[str, str]:
        """Hex content hash of each list."""
        return {split: images.identity for split, images in self.splits.items()}


def class_counts(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Images per class, int64 (C,), from class numbers (N,) or multi-hot rows (N, C)."""
    if labels.ndim == 2:
        return labels.sum(axis=0, dtype=np.int64)
    return np.bincount(labels, minlength=num_classes)


def list_task(
    root: str,
    name: str | None = None,
    split: int = 0,
    classes: Sequence[str] | None = None,
    metric: str | None = None,
    per_class: Mapping[str, int] | None = None,
) -> Task:
    """Build a task from a prepared folder.

    The folder holds `task.json` (`name`, `classes`, `metric`, `multi_label`), the image folder `images/` and the lists
    `lists/SPLIT/{train,val,test}.txt`, SPLIT counting official splits from 0.

    Args:
        root: The task's folder.
        name: Overrides the name in task.json.
        split: Number of the official split.
        classes: Overrides the classes in task.json.
        metric: Overrides the metric in task.json.
        per_class: Most images of each class by list, e.g. `dict(train=8, val=4)`, for results with few labels; drawn
            from the split's list, the same for every run. A list that is not named is kept whole. Reports then name
            the leakage that preparation found in the whole lists.

    Raises:
        UserError: The folder is not a prepared task, or a list or an image is wrong, or `per_class` does not fit.
    """
    folder = Path(root)
    if not (folder / "task.json").is_file():
        raise UserError(f"{folder} is not a prepared task: {_unprepared(folder)}")
    facts = files.read_json(folder / "task.json")
    lists = folder / "lists" / str(split)
    if not lists.is_dir():
        known = [path.name for path in (folder / "lists").glob("*") if path.is_dir()]
        raise UserError(f"task folder {folder} has no split {split}; it has: {choices(known) or 'none'}")
    try:
        names = tuple(classes or facts["classes"])
        task_name, task_metric = name or facts["name"], metric or facts["metric"]
    except (KeyError, TypeError) as error:
        raise UserError(f"{folder / 'task.json'} lacks {error}; prepare the task again") from error
    multi_label = bool(facts.get("multi_label", False))
    found = {part: read_list(lists / f"{part}.txt", len(names), multi_label) for part in SPLITS}
    whole = {part: ListedImages(listed, folder / "images") for part, listed in found.items()} if per_class else None
    for part, each in (per_class or {}).items():
        if part not in SPLITS or not isinstance(each, int) or each < 1:
            raise UserError(f"per_class gives train, val or test a number of images from 1, got {part}={each!r}")
        found[part] = found[part].at_most(each, split)
    images = {part: ListedImages(found[part], folder / "images") for part in SPLITS}
    leakage = facts.get("leakage", {}).get("splits", {}).get(str(split))
    return Task(task_name, names, task_metric, dict(images), split, multi_label, leakage, whole)


def _unprepared(folder: Path) -> str:
    """How a folder without task.json becomes a task, or which one was meant."""
    from mmbnft.tasks.preparers import PREPARERS  # each of them imports this module
    from mmbnft.tasks.registry import task_types

    if folder.name in PREPARERS:
        by_hand = any(archive.required and not archive.url for archive in PREPARERS[folder.name].facts.archives)
        return f"run: mmbnft prepare-data {folder.name} {'--archive FILE ...' if by_hand else '--download'}"
    known = [*(str(path.parent) for path in folder.parent.glob("*/task.json")), *task_types()]
    return (
        "it has no task.json; prepare it with mmbnft prepare-data (which lists the public data sets, and takes a "
        f"folder of your own), or name another folder{meant(str(folder), known)}"
    )
