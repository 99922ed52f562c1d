"""CIFAR-10."""

from pathlib import Path

from mmbnft.tasks.preparers import cifar
from mmbnft.tasks.preparers.base import Preparer, Reading
from mmbnft.tasks.preparers.draws import with_validation
from mmbnft.tasks.preparers.facts import Archive, Counts, Facts
from mmbnft.tasks.preparers.titles import TITLES


class Cifar10(Preparer):
    """Labels start at 0. torchvision insists on the official hash of every batch, so the batches are read here."""

    facts = Facts(
        name="cifar10",
        title=TITLES["cifar10"],
        version="python version of 2009",
        source="https://www.cs.toronto.edu/~kriz/cifar.html",
        classes=10,
        metric="top1",
        counts={"official": Counts(40000, 10000, 10000)},
        images=60000,
        images_per_class=6000,
        archives=(
            Archive(
                "cifar-10-python.tar.gz",
                "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
                "c58f30108f718f92721af3b95e74349a",
            ),
        ),
        licence="none stated",
        unverified=("val is held out in the order of the batches",),
    )

    def read(self, images: Path) -> Reading:
        """See `Preparer`."""
        top = images / "cifar-10-batches-py"
        meta = top / "batches.meta"
        classes = tuple(cifar.field(cifar.read_batch(meta), "label_names", meta))
        trainval = cifar.export([top / f"data_batch_{i}" for i in range(1, 6)], "labels", "train", images)
        test = cifar.export([top / "test_batch"], "labels", "test", images)
        return Reading(classes, {"official": with_validation(trainval, test)})
