"""Caltech-101 with its background class, on two draws of 30 training images a class."""

from pathlib import Path

import numpy as np

from mmbnft.tasks.preparers.base import Entry, Preparer, Reading
from mmbnft.tasks.preparers.draws import with_validation
from mmbnft.tasks.preparers.facts import Archive, Counts, Facts
from mmbnft.tasks.preparers.readers import class_folders, find_one
from mmbnft.tasks.preparers.titles import TITLES

PER_CLASS = 30
TOP = "101_ObjectCategories"


class Caltech101(Preparer):
    """No split is official. Two are drawn, both from the `.jpg` files in ASCII order, which number all images.

    Split 0, `ericsson`: 30 draws a class with replacement, repetitions dropped, so 17 to 30 images a class (the
    published lists of Ericsson et al., 2021, also used by vpulab/bn_finetuning). Split 1, `thirty`: 30 a class without
    replacement, the common rule. Both use NumPy's legacy generator, seed 0, class after class.
    """

    facts = Facts(
        name="caltech101",
        title=TITLES["caltech101"],
        version="CaltechDATA mzrjq-6wc02",
        source="https://data.caltech.edu/records/mzrjq-6wc02",
        classes=102,
        metric="mean_per_class",
        counts={"ericsson": Counts(1933, 483, 6728), "thirty": Counts(2448, 612, 6084)},
        images=9144,
        images_per_class={"BACKGROUND_Google": 467, "airplanes": 800, "inline_skate": 31},
        archives=(
            Archive(
                "caltech-101.zip",
                "https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip",
                "3138e1922a9193bfa496528edbbc45d0",
                nested=(f"caltech-101/{TOP}.tar.gz",),
                required=False,  # the older archive below will do
            ),
            Archive(f"{TOP}.tar.gz", required=False),
        ),
        licence="CC BY 4.0 (data-set card of a public copy)",
        unverified=(
            "val is held out from the training images in ascending image number; the published order of that list was "
            "not seen",
            "the common 30-a-class rule names no generator: NumPy legacy, seed 0, without replacement is ours",
            "Faces and Faces_easy are near copies and stay two classes, as published",
        ),
    )

    def read(self, images: Path) -> Reading:
        """See `Preparer`. The stray file `BACKGROUND_Google/tmp` is no `.jpg` and is left out."""
        classes, entries = class_folders(find_one(images, TOP), images, (".jpg",))
        splits = {}
        for name, replace in (("ericsson", True), ("thirty", False)):
            chosen = _draw(np.array([entry.label for entry in entries]), replace)
            trainval = [entry for i, entry in enumerate(entries) if i in chosen]
            test: list[Entry] = [entry for i, entry in enumerate(entries) if i not in chosen]
            splits[name] = with_validation(trainval, test)
        return Reading(classes, splits)


def _draw(labels: np.ndarray, replace: bool) -> set[int]:
    """Positions of the training images: `PER_CLASS` draws from each class in turn."""
    generator = np.random.RandomState(0)
    chosen: set[int] = set()
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        size = PER_CLASS if replace else min(PER_CLASS, len(members) - 1)  # one image at least is left for test
        chosen.update(generator.choice(members, size, replace=replace).tolist())
    return chosen
