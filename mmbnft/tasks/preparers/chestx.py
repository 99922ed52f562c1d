"""ChestX of the CD-FSL benchmark: seven single-label findings of ChestX-ray8."""

import csv
from pathlib import Path

from mmbnft.tasks.preparers.base import Entry, Preparer, Reading
from mmbnft.tasks.preparers.draws import with_grouped_validation
from mmbnft.tasks.preparers.facts import Archive, Counts, Facts
from mmbnft.tasks.preparers.readers import find_any, find_one, lines_of, relative
from mmbnft.tasks.preparers.titles import TITLES
from mmbnft.utils.errors import UserError

CLASSES = ("Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumothorax")
TABLES = ("Data_Entry_2017.csv", "Data_Entry_2017_v2020.csv")


class ChestX(Preparer):
    """Kept are the images with exactly one finding that is among the seven.

    Titles of the table hold commas within brackets and differ between releases, so the header is skipped and columns
    are taken by position. The official lists keep patients apart, and so does val: 20 % of the training patients, in
    the order of the list. Images may lie in one folder or in twelve.
    """

    facts = Facts(
        name="chestx",
        title=TITLES["chestx"],
        version="ChestX-ray14 release, Data_Entry_2017",
        source="https://nihcc.app.box.com/v/ChestXray-NIHCC",
        classes=7,
        metric="mean_per_class",
        counts={"official": Counts(None, None, None)},
        images=25848,
        archives=(
            Archive("images_*.tar.gz", required=False),
            Archive("Data_Entry_2017*.csv", required=False),
            Archive("train_val_list.txt", required=False),
            Archive("test_list.txt", required=False),
            Archive("*.zip", required=False),
        ),
        licence="CC0 (card of the Kaggle copy nih-chest-xrays/data)",
        unverified=(
            "25,848 images are reported by a public table; images per class are not checked",
            "the benchmark has no split, only episodes over all images; the lists here are the official ones of the "
            "whole data set, filtered",
        ),
    )

    def read(self, images: Path) -> Reading:
        """See `Preparer`."""
        table = next((path for name in TABLES if (path := find_any(images, name))), None)
        labels = _labels(table or find_one(images, TABLES[0]))
        paths = {path.name: path for path in sorted(images.rglob("*.png"))}
        trainval, test = (_entries(find_one(images, name), labels, paths, images) for name in LISTS)
        patients = [Path(entry.name).name.partition("_")[0] for entry in trainval]
        return Reading(CLASSES, {"official": with_grouped_validation(trainval, patients, test)})


LISTS = ("train_val_list.txt", "test_list.txt")


def _labels(table: Path) -> dict[str, int]:
    """Class number of every image the benchmark keeps."""
    labels: dict[str, int] = {}
    for row in csv.reader(lines_of(table)[1:]):
        if len(row) < 2:
            raise UserError(f"{table}: expected image and findings in every row, got {row}")
        if row[1] in CLASSES:
            labels[row[0]] = CLASSES.index(row[1])
    return labels


def _entries(path: Path, labels: dict[str, int], paths: dict[str, Path], images: Path) -> list[Entry]:
    kept = [name for name in lines_of(path) if name in labels]
    missing = [name for name in kept if name not in paths]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(kept)} images of {path} are not below {images}, the first {missing[0]}; give all "
            "twelve image archives"
        )
    return [Entry(relative(paths[name], images), labels[name]) for name in kept]
