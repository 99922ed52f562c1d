"""PASCAL VOC2007 classification: twenty classes, several an image."""

from pathlib import Path

from mmbnft.tasks.preparers.base import Entry, Lists, Preparer, Reading
from mmbnft.tasks.preparers.facts import Archive, Counts, Facts
from mmbnft.tasks.preparers.readers import find_one, lines_of, relative
from mmbnft.tasks.preparers.titles import TITLES
from mmbnft.utils.errors import UserError

HOME = "http://host.robots.ox.ac.uk/pascal/VOC/voc2007/"
CLASSES = (
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)


class Voc2007(Preparer):
    """A class is present where its list says 1; -1 (absent) and 0 (only difficult objects) both count as absent.

    That is the target of Ericsson et al.; others ignore images with 0. torchvision gives XML trees, no targets, so the
    class lists are read here.
    """

    facts = Facts(
        name="voc2007",
        title=TITLES["voc2007"],
        version="06-Nov-2007",
        source=HOME,
        classes=20,
        metric="map11",
        counts={"official": Counts(2501, 2510, 4952)},
        images=9963,
        archives=(
            Archive(
                "VOCtrainval_06-Nov-2007.tar",
                f"{HOME}VOCtrainval_06-Nov-2007.tar",
                "c52e279531787c972589f7e41ab4ae64",
            ),
            Archive("VOCtest_06-Nov-2007.tar", f"{HOME}VOCtest_06-Nov-2007.tar", "b6e924de25625d8de591ea690078ad9f"),
        ),
        licence="Flickr terms (not verified)",
        multi_label=True,
        unverified=("flags may be padded by a second space, so lines are cut at any white space",),
    )

    def read(self, images: Path) -> Reading:
        """See `Preparer`."""
        top = find_one(images, "VOC2007")
        return Reading(CLASSES, {"official": Lists(*(_part(top, part, images) for part in Lists._fields))})


def _part(top: Path, part: str, images: Path) -> list[Entry]:
    lists = top / "ImageSets" / "Main"
    present: dict[str, list[int]] = {name: [] for name in lines_of(lists / f"{part}.txt")}
    for label, name in enumerate(CLASSES):
        path = lists / f"{name}_{part}.txt"
        flags = dict(_flag(line, path) for line in lines_of(path))
        if flags.keys() != present.keys():
            raise UserError(f"{path} does not list the images of {part}.txt; expected {len(present)}, all with a flag")
        for image, flag in flags.items():
            if flag == "1":
                present[image].append(label)
    return [
        Entry(relative(top / "JPEGImages" / f"{image}.jpg", images), tuple(labels)) for image, labels in present.items()
    ]


def _flag(line: str, path: Path) -> tuple[str, str]:
    image, _, flag = line.partition(" ")
    if flag.strip() not in ("-1", "0", "1"):
        raise UserError(f"{path}: expected 'ID FLAG' with -1, 0 or 1, got {line!r}")
    return image, flag.strip()
