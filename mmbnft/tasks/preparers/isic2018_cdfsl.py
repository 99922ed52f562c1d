"""ISIC of the CD-FSL benchmark: the training images of ISIC 2018 task 3."""

from dataclasses import replace
from pathlib import Path

from mmbnft.tasks.preparers.base import Preparer, Reading, single_labels
from mmbnft.tasks.preparers.draws import pick, stratified
from mmbnft.tasks.preparers.facts import Counts
from mmbnft.tasks.preparers.isic2018 import CLASSES, TRAINING_ARCHIVES, Isic2018, read_part
from mmbnft.tasks.preparers.titles import TITLES


class Isic2018CdFsl(Preparer):
    """All 10,015 training images are the pool episodes are drawn from; the lists are 60/20/20 of every class, seed 0.

    Several images show one lesion, and the lists are not divided by lesion: use `isic2018` for anything but episodes.
    """

    facts = replace(
        Isic2018.facts,
        name="isic2018_cdfsl",
        title=TITLES["isic2018_cdfsl"],
        counts={"stratified": Counts(6015, 2000, 2000)},
        images=10015,
        images_per_class={"MEL": 1113, "NV": 6705, "BCC": 514, "AKIEC": 327, "BKL": 1099, "DF": 115, "VASC": 142},
        archives=TRAINING_ARCHIVES,
        unverified=(
            "few-shot episodes use the three lists together; the lists themselves are not published",
            "several images show one lesion, so the three lists share lesions",
        ),
    )

    def read(self, images: Path) -> Reading:
        """See `Preparer`."""
        entries = read_part(images, "Training")
        return Reading(CLASSES, {"stratified": pick(entries, stratified(single_labels(entries)))})
