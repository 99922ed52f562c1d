"""Stanford Cars in any of the three layouts it is found in."""

from pathlib import Path
from typing import Any

import numpy as np

from mmbnft.tasks.preparers.base import Entry, Preparer, Reading
from mmbnft.tasks.preparers.draws import with_validation
from mmbnft.tasks.preparers.facts import Archive, Counts, Facts
from mmbnft.tasks.preparers.readers import find_any, find_one, mat_field, relative
from mmbnft.tasks.preparers.titles import TITLES
from mmbnft.utils.errors import UserError

HOME = "https://ai.stanford.edu/~jkrause/cars/car_dataset.html"
LABELLED_TEST = "cars_test_annos_withlabels.mat"


class Cars(Preparer):
    """Class numbers in the files start at 1; the order is that of `class_names`, not the alphabet.

    Layout A (official): `cars_train/`, `cars_test/`, `devkit/`, and the labelled test file, in `devkit/` or beside it.
    Layout B (joint): `car_ims/` and `cars_annos.mat`. Layout C (Kaggle): A one folder deeper, with the joint annotation
    file beside it. The joint file numbers the images differently, so it is only ever used with `car_ims/`; where both
    are complete, A is read. torchvision reads A alone and raises bare errors, so the files are read here.
    """

    facts = Facts(
        name="cars",
        title=TITLES["cars"],
        version="2013 (car devkit)",
        source=HOME,
        classes=196,
        metric="top1",
        counts={"official": Counts(6516, 1628, 8041)},
        images=16185,
        archives=tuple(
            Archive(name, required=False)
            for name in (
                "cars_train.tgz",
                "cars_test.tgz",
                "car_devkit.tgz",
                LABELLED_TEST,
                "car_ims.tgz",
                "cars_annos.mat",
                "*.zip",
            )
        ),
        licence="not stated in the sources read; check the home page or the copy's card",
        registration="the home page is gone; Kaggle keeps a copy (jessicali9530/stanford-cars-dataset)",
        unverified=(
            "joint numbering (car_ims) is taken to differ from cars_train and cars_test, so layouts are never mixed",
            "whether the Kaggle copy holds the labelled test file; without it the copy is refused",
            "val is held out in the order of the annotation file",
        ),
    )

    def read(self, images: Path) -> Reading:
        """See `Preparer`."""
        if find_any(images, "cars_train_annos.mat"):
            classes, trainval, test = _official(images)
        elif find_any(images, "car_ims"):
            classes, trainval, test = _joint(images)
        else:
            raise UserError(
                f"there is neither cars_train_annos.mat nor car_ims below {images}; give cars_train.tgz, "
                f"cars_test.tgz, car_devkit.tgz and {LABELLED_TEST}, or car_ims.tgz and cars_annos.mat"
            )
        return Reading(classes, {"official": with_validation(trainval, test)})


Parts = tuple[tuple[str, ...], list[Entry], list[Entry]]


def _official(images: Path) -> Parts:
    """Layouts A and C."""
    labelled = find_any(images, LABELLED_TEST)
    if labelled is None:
        raise UserError(
            f"the test labels are missing below {images}: cars_test_annos.mat has none and cars_annos.mat numbers "
            f"other images; obtain {LABELLED_TEST} and give it with --archive"
        )
    classes = tuple(str(name) for name in mat_field(find_one(images, "cars_meta.mat"), "class_names"))
    train = _entries(find_one(images, "cars_train_annos.mat"), _photographs(images, "cars_train"), images)
    return classes, train, _entries(labelled, _photographs(images, "cars_test"), images)


def _photographs(images: Path, name: str) -> Path:
    """The folder `name`, or the folder of the same name in it (Kaggle)."""
    folder = find_one(images, name)
    return folder / name if (folder / name).is_dir() else folder


def _entries(path: Path, folder: Path, images: Path) -> list[Entry]:
    rows = mat_field(path, "annotations")
    return [Entry(relative(folder / str(_of(row, "fname", path)), images), _class(row, path)) for row in rows]


def _joint(images: Path) -> Parts:
    """Layout B."""
    path = find_one(images, "cars_annos.mat")
    top = find_one(images, "car_ims").parent
    classes = tuple(str(name) for name in mat_field(path, "class_names"))
    parts: dict[int, list[Entry]] = {0: [], 1: []}
    for row in mat_field(path, "annotations"):
        entry = Entry(relative(top / str(_of(row, "relative_im_path", path)), images), _class(row, path))
        parts[int(_of(row, "test", path)) != 0].append(entry)
    return classes, parts[0], parts[1]


def _class(row: np.void, path: Path) -> int:
    return int(_of(row, "class", path)) - 1


def _of(row: np.void, field: str, path: Path) -> Any:
    try:
        return row[field]
    except (ValueError, IndexError, TypeError) as error:
        raise UserError(f"{path}: the annotations have no field {field!r}; give the file with labels") from error
