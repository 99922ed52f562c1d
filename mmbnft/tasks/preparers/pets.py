"""Oxford-IIIT Pets, the 37 breeds."""

from pathlib import Path

from mmbnft.tasks.preparers.base import Preparer, Reading
from mmbnft.tasks.preparers.draws import with_validation
from mmbnft.tasks.preparers.facts import Archive, Counts, Facts
from mmbnft.tasks.preparers.readers import torchvision_entries
from mmbnft.tasks.preparers.titles import TITLES
from mmbnft.utils.errors import UserError

HOME = "https://www.robots.ox.ac.uk/~vgg/data/pets/"
TOP = "oxford-iiit-pet"


class Pets(Preparer):
    """Lines are `IMAGE_ID CLASS SPECIES BREED`, classes counted from 1.

    The folder holds more images than the lists name, three MATLAB files, and palette, transparent and grey pictures
    under `.jpg`; only what is listed is used, and it is decoded by content.
    """

    facts = Facts(
        name="pets",
        title=TITLES["pets"],
        version="2012",
        source=HOME,
        classes=37,
        metric="mean_per_class",
        counts={"official": Counts(2944, 736, 3669)},
        images=7349,
        archives=(
            Archive("images.tar.gz", f"{HOME}data/images.tar.gz", "5c4f3ee8e5d25df40f4fd59a7f44e54c", into=TOP),
            Archive(
                "annotations.tar.gz", f"{HOME}data/annotations.tar.gz", "95a8c909bbe2e81eed6a22bccdf3f68f", into=TOP
            ),
        ),
        licence="CC BY-SA 4.0 (data-set cards)",
        unverified=(
            "val is held out in the order of trainval.txt",
            "Egyptian_Mau_156, chihuahua_121 and beagle_116 are reported as bad JPEGs and taken to be readable by PIL",
        ),
    )

    def read(self, images: Path) -> Reading:
        """See `Preparer`."""
        from mmbnft.host import OxfordIIITPet  # starts the whole stack, which the facts can do without

        top = images / TOP
        classes, trainval = torchvision_entries(lambda: OxfordIIITPet(images, "trainval"), images, top)
        test_classes, test = torchvision_entries(lambda: OxfordIIITPet(images, "test"), images, top)
        if classes != test_classes:
            raise UserError(f"{top / 'annotations'}: trainval.txt and test.txt name different breeds")
        return Reading(classes, {"official": with_validation(trainval, test)})
