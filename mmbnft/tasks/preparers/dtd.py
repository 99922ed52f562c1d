"""The Describable Textures Dataset on its ten official splits."""

from pathlib import Path

from mmbnft.tasks.preparers.base import Lists, Preparer, Reading
from mmbnft.tasks.preparers.facts import Archive, Counts, Facts
from mmbnft.tasks.preparers.readers import class_names, torchvision_entries
from mmbnft.tasks.preparers.titles import TITLES
from mmbnft.utils.errors import UserError


class Dtd(Preparer):
    """The class is the key attribute, i.e. the folder; the joint annotations with several attributes are not used."""

    facts = Facts(
        name="dtd",
        title=TITLES["dtd"],
        version="r1.0.1",
        source="https://www.robots.ox.ac.uk/~vgg/data/dtd/",
        classes=47,
        metric="top1",
        counts={str(number): Counts(1880, 1880, 1880) for number in range(1, 11)},
        images=5640,
        images_per_class=120,
        archives=(
            Archive(
                "dtd-r1.0.1.tar.gz",
                "https://www.robots.ox.ac.uk/~vgg/data/dtd/download/dtd-r1.0.1.tar.gz",
                "fff73e5086ae6bdbea199a49dfb8a4c1",
                into="dtd",
            ),
        ),
        licence="not stated in the sources read; check the home page",
        unverified=(
            "split 0 here is the official train1, val1 and test1; lists published with numbers from 0 may differ",
        ),
    )

    def read(self, images: Path) -> Reading:
        """See `Preparer`."""
        from mmbnft.host import DTD  # starts the whole stack, which the facts can do without

        top = images / "dtd" / "dtd"
        classes = class_names(top / "images")
        splits = {}
        for number, name in enumerate(self.facts.counts, start=1):
            parts = []
            for part in ("train", "val", "test"):
                found, entries = torchvision_entries(
                    lambda part=part, number=number: DTD(images, part, number),  # type: ignore[misc]
                    images,
                    top,
                )
                # torchvision numbers the classes of one list; a list without some class would shift them.
                if found != classes:
                    raise UserError(f"{top / 'labels' / f'{part}{number}.txt'} does not hold every class of images/")
                parts.append(entries)
            splits[name] = Lists(*parts)
        return Reading(classes, splits)
