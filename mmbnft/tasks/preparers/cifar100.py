"""CIFAR-100 with its fine labels."""

from pathlib import Path

from mmbnft.tasks.preparers import cifar
from mmbnft.tasks.preparers.base import Preparer, Reading
from mmbnft.tasks.preparers.draws import with_validation
from mmbnft.tasks.preparers.facts import Archive, Counts, Facts
from mmbnft.tasks.preparers.titles import TITLES


class Cifar100(Preparer):
    """The 100 fine classes; the 20 coarse ones beside them are not used. Labels start at 0."""

    facts = Facts(
        name="cifar100",
        title=TITLES["cifar100"],
        version="python version of 2009",
        source="https://www.cs.toronto.edu/~kriz/cifar.html",
        classes=100,
        metric="top1",
        counts={"official": Counts(40000, 10000, 10000)},
        images=60000,
        images_per_class=600,
        archives=(
            Archive(
                "cifar-100-python.tar.gz",
                "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
                "eb9058c3a382ffc7106e4002c42a8d85",
            ),
        ),
        licence="none stated",
        unverified=("val is held out in the order of the training file",),
    )

    def read(self, images: Path) -> Reading:
        """See `Preparer`."""
        top = images / "cifar-100-python"
        classes = tuple(cifar.field(cifar.read_batch(top / "meta"), "fine_label_names", top / "meta"))
        trainval = cifar.export([top / "train"], "fine_labels", "train", images)
        test = cifar.export([top / "test"], "fine_labels", "test", images)
        return Reading(classes, {"official": with_validation(trainval, test)})
