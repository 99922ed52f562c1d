"""ISIC 2018 task 3 (skin lesions) on the challenge's own train, val and test images."""

import csv
from pathlib import Path

from mmbnft.tasks.preparers.base import Entry, Lists, Preparer, Reading
from mmbnft.tasks.preparers.facts import Archive, Counts, Facts
from mmbnft.tasks.preparers.readers import find_one, lines_of, relative
from mmbnft.tasks.preparers.titles import TITLES
from mmbnft.utils.errors import UserError

URL = "https://isic-challenge-data.s3.amazonaws.com/2018/"
CLASSES = ("MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC")
TRAINING_ARCHIVES, VALIDATION_ARCHIVES, TEST_ARCHIVES = (
    tuple(
        Archive(f"ISIC2018_Task3_{part}_{kind}.zip", f"{URL}ISIC2018_Task3_{part}_{kind}.zip")
        for kind in ("Input", "GroundTruth")
    )
    for part in ("Training", "Validation", "Test")
)


class Isic2018(Preparer):
    """Ground truth is one-hot over seven columns; the column is the class number."""

    facts = Facts(
        name="isic2018",
        title=TITLES["isic2018"],
        version="2018 challenge",
        source="https://challenge.isic-archive.com/data/#2018",
        classes=7,
        metric="mean_per_class",
        counts={"challenge": Counts(10015, 193, 1512)},
        images=11720,
        archives=TRAINING_ARCHIVES + VALIDATION_ARCHIVES + TEST_ARCHIVES,
        licence="CC BY-NC 4.0",
        unverified=(
            "the addresses of the Validation archives follow the pattern of the others",
            "the metric is the challenge's balanced multi-class accuracy, i.e. mean per-class accuracy",
        ),
    )

    def read(self, images: Path) -> Reading:
        """See `Preparer`."""
        parts = (read_part(images, part) for part in ("Training", "Validation", "Test"))
        return Reading(CLASSES, {"challenge": Lists(*parts)})


def read_part(images: Path, part: str) -> list[Entry]:
    """The entries of `Training`, `Validation` or `Test`, in the order of the ground truth.

    Raises:
        UserError: A file is missing or a row is not one-hot.
    """
    path = find_one(images, f"ISIC2018_Task3_{part}_GroundTruth.csv")
    folder = find_one(images, f"ISIC2018_Task3_{part}_Input")
    rows = list(csv.reader(lines_of(path)))
    if tuple(title.strip() for title in rows[0]) != ("image", *CLASSES):
        raise UserError(f"{path}: expected the columns image,{','.join(CLASSES)}, got {','.join(rows[0])}")
    return [Entry(relative(folder / f"{row[0].strip()}.jpg", images), _label(row, path)) for row in rows[1:]]


def _label(row: list[str], path: Path) -> int:
    try:
        hot = [float(value) for value in row[1:]]
    except ValueError:
        hot = []
    if len(hot) != len(CLASSES) or sorted(hot) != [0.0] * (len(CLASSES) - 1) + [1.0]:
        raise UserError(f"{path}: the row of {row[0]} is not one-hot over {len(CLASSES)} classes: {','.join(row[1:])}")
    return hot.index(1.0)
