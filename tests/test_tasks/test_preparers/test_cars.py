import io

import numpy as np
import pytest
from preparer_case import PreparerCase, picture, tar, zipped
from scipy.io import savemat

from mmbnft.tasks.preparers.cars import Cars
from mmbnft.utils.errors import UserError

CLASSES = ("Ram C/V Cargo Van Minivan 2012", "AM General Hummer SUV 2000")  # a slash; not in alphabetical order
BOX = ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2")


def mat(**variables):
    stream = io.BytesIO()
    savemat(stream, variables)
    return stream.getvalue()


def annotations(rows, *fields):
    """A 1 x N struct array with four box fields and `fields`."""
    names = (*BOX, *fields)
    values = np.empty((1, len(rows)), dtype=[(name, object) for name in names])
    for i, row in enumerate(rows):
        values[0, i] = (1, 2, 3, 4, *row)
    return values


def class_names():
    names = np.empty((1, len(CLASSES)), dtype=object)
    names[0] = CLASSES
    return names


def rows(count):
    """Classes 1, 2, 1 ... and file names, which train and test share."""
    return [(1 + i % 2, f"{i + 1:05d}.jpg") for i in range(count)]


def photographs(folder, count, first=0):
    return {f"{folder}/{i + 1:05d}.jpg": picture(first + i) for i in range(count)}


def official_devkit(labelled=True):
    members = {
        "devkit/cars_meta.mat": mat(class_names=class_names()),
        "devkit/cars_train_annos.mat": mat(annotations=annotations(rows(10), "class", "fname")),
        "devkit/cars_test_annos.mat": mat(annotations=annotations([(name,) for _, name in rows(4)], "fname")),
    }
    if labelled:
        members["devkit/cars_test_annos_withlabels.mat"] = labelled_test()
    return members


def labelled_test():
    return mat(annotations=annotations(rows(4), "class", "fname"))


class CarsCase(PreparerCase):
    preparer = Cars
    official = (196, "top1", {"official": (6516, 1628, 8041)})
    classes = CLASSES
    counts = {"official": (8, 2, 4)}


class TestOfficialLayout(CarsCase):
    labels = {"cars_train/00001.jpg": 0, "cars_train/00002.jpg": 1, "cars_test/00001.jpg": 0, "cars_test/00004.jpg": 1}

    def build(self, folder):
        devkit = tar(folder / "car_devkit.tgz", official_devkit(labelled=False))
        train = tar(folder / "cars_train.tgz", photographs("cars_train", 10))
        test = tar(folder / "cars_test.tgz", photographs("cars_test", 4, first=50))
        (folder / "cars_test_annos_withlabels.mat").write_bytes(labelled_test())
        return [devkit, train, test, folder / "cars_test_annos_withlabels.mat"]

    def test_without_the_labelled_test_file(self, tmp_path, archives):
        with pytest.raises(UserError, match=r"obtain cars_test_annos_withlabels.mat"):
            self.prepare(tmp_path, archives[:-1])


class TestJointLayout(CarsCase):
    labels = {"car_ims/000001.jpg": 0, "car_ims/000002.jpg": 1, "car_ims/000014.jpg": 1}

    def build(self, folder):
        joint = [(f"car_ims/{i + 1:06d}.jpg", 1 + i % 2, int(i >= 10)) for i in range(14)]
        table = mat(annotations=annotations(joint, "relative_im_path", "class", "test"), class_names=class_names())
        (folder / "cars_annos.mat").write_bytes(table)
        pictures = tar(folder / "car_ims.tgz", {path: picture(i) for i, (path, _, _) in enumerate(joint)})
        return [pictures, folder / "cars_annos.mat"]


class TestKaggleLayout(CarsCase):
    labels = {"cars_train/cars_train/00001.jpg": 0, "cars_test/cars_test/00004.jpg": 1}

    def build(self, folder):
        members = photographs("cars_train/cars_train", 10) | photographs("cars_test/cars_test", 4, first=50)
        members |= {f"car_devkit/{name}": content for name, content in official_devkit().items()}
        members["cars_annos.mat"] = b"numbers the images of another layout"
        return [zipped(folder / "archive.zip", members)]
