"""CropDiseases of the CD-FSL benchmark: the training folder of the plant-disease copy."""

from dataclasses import replace
from pathlib import Path

from mmbnft.tasks.preparers.base import Preparer, Reading, single_labels
from mmbnft.tasks.preparers.draws import pick, stratified
from mmbnft.tasks.preparers.facts import Counts
from mmbnft.tasks.preparers.plant_disease import NO_CLASS, SUFFIXES, PlantDisease
from mmbnft.tasks.preparers.readers import class_folders, find_one
from mmbnft.tasks.preparers.titles import TITLES


class CropDiseases(Preparer):
    """All 43,456 training images are the pool episodes are drawn from; the lists 60/20/20 of every class, seed 0."""

    facts = replace(
        PlantDisease.facts,
        name="cropdiseases",
        title=TITLES["cropdiseases"],
        counts={"stratified": Counts(None, None, None)},
        images=43456,
        unverified=("few-shot episodes use the three lists together; the lists themselves are not published",),
    )

    def read(self, images: Path) -> Reading:
        """See `Preparer`."""
        classes, entries = class_folders(find_one(images, "train"), images, SUFFIXES, NO_CLASS)
        parts = stratified(single_labels(entries))
        return Reading(classes, {"stratified": pick(entries, parts)})
