"""MHIST: hyperplastic polyps against sessile serrated adenomas."""

import csv
from pathlib import Path

from mmbnft.tasks.preparers.base import Entry, Preparer, Reading
from mmbnft.tasks.preparers.draws import with_validation
from mmbnft.tasks.preparers.facts import Archive, Counts, Facts
from mmbnft.tasks.preparers.readers import find_any, find_one, lines_of, number, relative
from mmbnft.tasks.preparers.titles import TITLES
from mmbnft.utils.errors import UserError

CLASSES = ("HP", "SSA")
COLUMNS = ("Image Name", "Majority Vote Label", "Partition")


class Mhist(Preparer):
    """Rows of `annotations.csv` carry image, majority vote and partition; columns are found by their titles."""

    facts = Facts(
        name="mhist",
        title=TITLES["mhist"],
        version="2021",
        source="https://bmirds.github.io/MHIST/",
        classes=2,
        metric="mean_per_class",
        counts={"official": Counts(1740, 435, 977)},
        images=3152,
        archives=(Archive("images.zip"), Archive("annotations.csv")),
        licence="Dataset Research Use Agreement",
        registration="fill in the access form and sign the Dataset Research Use Agreement; links come by e-mail",
        unverified=(
            "HP is class 0 and SSA class 1 (alphabetical); public loaders disagree and no order is official",
            "HP and SSA counts are not checked singly",
            "val is held out in the order of annotations.csv",
            "the data-set paper reports AUC; the metric here is mean per-class accuracy",
        ),
    )

    def read(self, images: Path) -> Reading:
        """See `Preparer`."""
        path = find_one(images, "annotations.csv")
        folder = find_any(images, "images") or images
        rows = csv.DictReader(lines_of(path))
        missing = [column for column in COLUMNS if column not in (rows.fieldnames or ())]
        if missing:
            raise UserError(f"{path} has no column {missing[0]!r}; expected the official file")
        parts: dict[str, list[Entry]] = {"train": [], "test": []}
        for row in rows:
            name, label, part = (str(row[column]).strip() for column in COLUMNS)
            if part not in parts:
                raise UserError(f"{path}: {name} is in partition {part!r}; expected train or test")
            parts[part].append(Entry(relative(folder / name, images), number(CLASSES, label, str(path))))
        return Reading(CLASSES, {"official": with_validation(parts["train"], parts["test"])})
