"""EuroSAT, the RGB version."""

from pathlib import Path

from mmbnft.tasks.preparers.base import Entry, Lists, Preparer, Reading, single_labels
from mmbnft.tasks.preparers.draws import pick, stratified, with_validation
from mmbnft.tasks.preparers.facts import Archive, Counts, Facts
from mmbnft.tasks.preparers.readers import class_folders, find_one
from mmbnft.tasks.preparers.titles import TITLES

FIRST, NEXT = 1000, 500  # training and test images a class in VISSL's rule


class Eurosat(Preparer):
    """No split is official, so there are two of others' and our making.

    Split 0, `stratified`: 60/20/20 of every class, seed 0. Split 1, `vissl`: of each class's sorted names the first
    1,000 train (20 % of them held out as val) and the next 500 test.
    """

    facts = Facts(
        name="eurosat",
        title=TITLES["eurosat"],
        version="27,000 JPEG patches; top folder EuroSAT_RGB or 2750",
        source="https://github.com/phelber/EuroSAT",
        classes=10,
        metric="top1",
        counts={"stratified": Counts(16200, 5400, 5400), "vissl": Counts(8000, 2000, 5000)},
        images=27000,
        images_per_class={"Forest": 3000, "SeaLake": 3000},
        archives=(
            Archive("EuroSAT_RGB.zip", "https://zenodo.org/records/7711810/files/EuroSAT_RGB.zip", required=False),
            Archive("EuroSAT.zip", md5="c8fa014336c82ac7804f0398fcb19387", required=False),
        ),
        licence="MIT",
        unverified=(
            "the address of EuroSAT_RGB.zip follows the record's usual pattern",
            "images of eight of the ten classes (2,000 to 3,000 each) are only checked by their sum",
            "VTAB's 60/20/20 split follows another library's order and is not reproduced; sizes are the same",
        ),
    )

    def read(self, images: Path) -> Reading:
        """See `Preparer`."""
        classes, entries = class_folders(find_one(images, "AnnualCrop").parent, images, (".jpg",))
        splits = {"stratified": pick(entries, stratified(single_labels(entries)))}
        splits["vissl"] = _vissl(entries, len(classes))
        return Reading(classes, splits)


def _vissl(entries: list[Entry], classes: int) -> Lists:
    by_class = [[entry for entry in entries if entry.label == label] for label in range(classes)]
    trainval = [entry for members in by_class for entry in members[:FIRST]]
    return with_validation(trainval, [entry for members in by_class for entry in members[FIRST : FIRST + NEXT]])
