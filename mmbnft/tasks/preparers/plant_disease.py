"""Plant disease, the Kaggle copy of PlantVillage with its own train and test folders."""

from pathlib import Path

from mmbnft.tasks.preparers.base import Preparer, Reading
from mmbnft.tasks.preparers.draws import with_validation
from mmbnft.tasks.preparers.facts import Archive, Counts, Facts
from mmbnft.tasks.preparers.readers import class_folders, find_one
from mmbnft.tasks.preparers.titles import TITLES
from mmbnft.utils.errors import UserError

ARCHIVE = Archive("*.zip")
SOURCE = "https://www.kaggle.com/datasets/saroz014/plant-disease"
SUFFIXES = (".jpg", ".jpeg", ".png")  # .JPG too: case does not count
NO_CLASS = ("Background_without_leaves",)  # in some copies; not part of the task


class PlantDisease(Preparer):
    """Classes are folders `Crop___Condition` in ASCII order; names of folders and files hold spaces."""

    facts = Facts(
        name="plant_disease",
        title=TITLES["plant_disease"],
        version="Kaggle saroz014/plant-disease",
        source=SOURCE,
        classes=38,
        metric="mean_per_class",
        counts={"kaggle": Counts(34765, 8691, 10849)},
        images=54305,
        archives=(ARCHIVE,),
        licence="not stated in the sources read; check the card",
        registration="a Kaggle account is needed",
        unverified=(
            "the test size 10,849 is 54,305 less the 43,456 training images; the archive was not opened",
            "classes are numbered alphabetically; vpulab/bn_finetuning numbers them otherwise, so its class weights do "
            "not apply",
            "val is held out class after class in the order of the sorted names",
        ),
    )

    def read(self, images: Path) -> Reading:
        """See `Preparer`."""
        train = find_one(images, "train")
        classes, trainval = class_folders(train, images, SUFFIXES, NO_CLASS)
        test_classes, test = class_folders(train.with_name("test"), images, SUFFIXES, NO_CLASS)
        if classes != test_classes:
            raise UserError(f"{train.parent}: train and test do not have the same class folders; get the whole copy")
        return Reading(classes, {"kaggle": with_validation(trainval, test)})
