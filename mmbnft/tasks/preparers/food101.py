"""Food-101, classes in the order of `classes.txt`."""

from pathlib import Path

from mmbnft.tasks.preparers.base import Entry, Preparer, Reading
from mmbnft.tasks.preparers.draws import with_validation
from mmbnft.tasks.preparers.facts import Archive, Counts, Facts
from mmbnft.tasks.preparers.readers import lines_of, number, relative
from mmbnft.tasks.preparers.titles import TITLES


class Food101(Preparer):
    """Lines are `CLASS/NUMBER` without a suffix.

    `classes.txt` puts cheesecake before cheese_plate, as the published lists do; torchvision sorts, which swaps the
    two, so the lists are read here.
    """

    facts = Facts(
        name="food101",
        title=TITLES["food101"],
        version="2014",
        source="https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101/",
        classes=101,
        metric="top1",
        counts={"official": Counts(60600, 15150, 25250)},
        images=101000,
        images_per_class=1000,
        archives=(
            Archive(
                "food-101.tar.gz",
                "http://data.vision.ee.ethz.ch/cvl/food-101.tar.gz",
                "85eeb15f3717b99a5da872d97d918f87",
            ),
        ),
        licence="not stated in the sources read; check the home page",
        unverified=("val is held out in the order of train.txt", "training labels were not cleaned by the authors"),
    )

    def read(self, images: Path) -> Reading:
        """See `Preparer`."""
        top = images / "food-101"
        classes = tuple(lines_of(top / "meta" / "classes.txt"))
        trainval, test = (self._entries(top, part, classes, images) for part in ("train", "test"))
        return Reading(classes, {"official": with_validation(trainval, test)})

    @staticmethod
    def _entries(top: Path, part: str, classes: tuple[str, ...], images: Path) -> list[Entry]:
        path = top / "meta" / f"{part}.txt"
        lines = lines_of(path)
        return [
            Entry(relative(top / "images" / f"{line}.jpg", images), number(classes, line.partition("/")[0], str(path)))
            for line in lines
        ]
