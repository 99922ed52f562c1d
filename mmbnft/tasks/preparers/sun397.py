"""SUN397 on its ten official partitions."""

from pathlib import Path

from mmbnft.tasks.preparers.base import Entry, Preparer, Reading
from mmbnft.tasks.preparers.draws import with_validation
from mmbnft.tasks.preparers.facts import Archive, Counts, Facts
from mmbnft.tasks.preparers.readers import find_one, lines_of, number
from mmbnft.tasks.preparers.titles import TITLES


class Sun397(Preparer):
    """Lines are `/a/abbey/sun_xxx.jpg`; a class has one or two folder levels below its letter.

    torchvision has no partitions, so the lists are read here. Files named `.jpg` hold BMP, PNG and GIF as well and
    are decoded by content.
    """

    facts = Facts(
        name="sun397",
        title=TITLES["sun397"],
        version="SUN database, benchmark partitions 01 to 10",
        source="https://vision.princeton.edu/projects/2010/SUN/",
        classes=397,
        metric="top1",
        counts={f"{number:02d}": Counts(15880, 3970, 19850) for number in range(1, 11)},
        archives=(
            Archive(
                "SUN397.tar.gz",
                "https://vision.princeton.edu/projects/2010/SUN/SUN397.tar.gz",
                "8ca2778205c41d23104230ba66911c7a",
            ),
            Archive(
                "Partitions.zip",
                "https://vision.princeton.edu/projects/2010/SUN/download/Partitions.zip",
                "29a205c0a0129d21f36cbecfefe81881",
            ),
        ),
        licence="research use (not verified)",
        unverified=(
            "class numbers follow ClassName.txt, as in torchvision; Ericsson et al. sort the names instead",
            "val is held out in the order of each Training list",
            "only images of the partitions are checked; the archive holds more",
        ),
    )

    def read(self, images: Path) -> Reading:
        """See `Preparer`. `Partitions.zip` may be flat or hold a folder."""
        names = find_one(images, "ClassName.txt")
        classes = tuple(line.rstrip("/") for line in lines_of(names))
        partitions = find_one(images, "Training_01.txt").parent
        splits = {}
        for name in self.facts.counts:
            trainval = self._entries(partitions / f"Training_{name}.txt", classes)
            test = self._entries(partitions / f"Testing_{name}.txt", classes)
            splits[name] = with_validation(trainval, test)
        return Reading(tuple(line.split("/", 2)[-1] for line in classes), splits)

    @staticmethod
    def _entries(path: Path, classes: tuple[str, ...]) -> list[Entry]:
        return [
            Entry(f"SUN397/{line.lstrip('/')}", number(classes, line.rpartition("/")[0], str(path)))
            for line in lines_of(path)
        ]
