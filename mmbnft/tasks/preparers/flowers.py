"""Oxford Flowers-102 on the official lists."""

from pathlib import Path

from mmbnft.tasks.preparers.base import Entry, Lists, Preparer, Reading
from mmbnft.tasks.preparers.facts import Archive, Counts, Facts
from mmbnft.tasks.preparers.readers import find_one, mat_field, relative
from mmbnft.tasks.preparers.titles import TITLES
from mmbnft.utils.errors import UserError

HOME = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/"


class Flowers(Preparer):
    """Labels and image numbers both start at 1; only labels are shifted. `tstid`, the larger list, is test.

    The archive names no classes, so a class is called by its official number. torchvision insists on the official
    hashes of the two MATLAB files at every reading, so they are read here.
    """

    facts = Facts(
        name="flowers",
        title=TITLES["flowers"],
        version="2008",
        source=HOME,
        classes=102,
        metric="mean_per_class",
        counts={"official": Counts(1020, 1020, 6149)},
        images=8189,
        archives=(
            Archive("102flowers.tgz", f"{HOME}102flowers.tgz", "52808999861908f626f3c1f4e79d11fa"),
            Archive("imagelabels.mat", f"{HOME}imagelabels.mat", "e0620be6f572b9609742df49c70aed4d"),
            Archive("setid.mat", f"{HOME}setid.mat", "a5357ecc9cb78c4bef273ce3793fc85c"),
        ),
        licence="none stated",
    )

    def read(self, images: Path) -> Reading:
        """See `Preparer`."""
        labels = mat_field(find_one(images, "imagelabels.mat"), "labels").astype(int)
        lists = find_one(images, "setid.mat")
        folder = find_one(images, "jpg")
        parts = []
        for field in ("trnid", "valid", "tstid"):
            ids = mat_field(lists, field).astype(int).tolist()
            wrong = [i for i in ids if not 1 <= i <= len(labels)]
            if wrong:
                raise UserError(f"{lists}: {field} names image {wrong[0]}; there are labels for 1 to {len(labels)}")
            parts.append([Entry(relative(folder / f"image_{i:05d}.jpg", images), int(labels[i - 1]) - 1) for i in ids])
        return Reading(tuple(str(i) for i in range(1, self.facts.classes + 1)), {"official": Lists(*parts)})
