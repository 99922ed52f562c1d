"""Preparers: one module per public data set, from its archives to a task folder that `list_task` reads."""

from mmbnft.tasks.preparers.aircraft import Aircraft
from mmbnft.tasks.preparers.base import Entry, Lists, Preparer, Reading
from mmbnft.tasks.preparers.caltech101 import Caltech101
from mmbnft.tasks.preparers.cars import Cars
from mmbnft.tasks.preparers.chestx import ChestX
from mmbnft.tasks.preparers.cifar10 import Cifar10
from mmbnft.tasks.preparers.cifar100 import Cifar100
from mmbnft.tasks.preparers.cropdiseases import CropDiseases
from mmbnft.tasks.preparers.dtd import Dtd
from mmbnft.tasks.preparers.eurosat import Eurosat
from mmbnft.tasks.preparers.facts import Archive, Counts, Facts
from mmbnft.tasks.preparers.flowers import Flowers
from mmbnft.tasks.preparers.food101 import Food101
from mmbnft.tasks.preparers.isic2018 import Isic2018
from mmbnft.tasks.preparers.isic2018_cdfsl import Isic2018CdFsl
from mmbnft.tasks.preparers.mhist import Mhist
from mmbnft.tasks.preparers.own import OwnData, prepare_own
from mmbnft.tasks.preparers.pets import Pets
from mmbnft.tasks.preparers.plant_disease import PlantDisease
from mmbnft.tasks.preparers.preparation import Prepared, prepare
from mmbnft.tasks.preparers.sun397 import Sun397
from mmbnft.tasks.preparers.voc2007 import Voc2007
from mmbnft.utils.errors import UserError, choices, meant

PREPARERS: dict[str, type[Preparer]] = {
    preparer.facts.name: preparer
    for preparer in (
        Aircraft,
        Caltech101,
        Cars,
        Cifar10,
        Cifar100,
        Dtd,
        Flowers,
        Food101,
        Pets,
        Sun397,
        Voc2007,
        Eurosat,
        Mhist,
        PlantDisease,
        CropDiseases,
        Isic2018,
        Isic2018CdFsl,
        ChestX,
    )
}


def build_preparer(name: str) -> Preparer:
    """The preparer of the data set `name`.

    Raises:
        UserError: There is none of that name.
    """
    if name not in PREPARERS:
        raise UserError(f"unknown data set {name!r}; allowed: {choices(PREPARERS)}{meant(name, PREPARERS)}")
    return PREPARERS[name]()


__all__ = [
    "PREPARERS",
    "Archive",
    "Counts",
    "Entry",
    "Facts",
    "Lists",
    "OwnData",
    "Prepared",
    "Preparer",
    "Reading",
    "build_preparer",
    "prepare",
    "prepare_own",
]
