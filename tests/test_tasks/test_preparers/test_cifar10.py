import os
import pickle

import numpy as np
import pytest
from preparer_case import PreparerCase, tar
from py2_pickle import dumps

from mmbnft.tasks import list_task
from mmbnft.tasks.preparers.cifar import read_batch
from mmbnft.tasks.preparers.cifar10 import Cifar10
from mmbnft.utils.errors import UserError

TOP = "cifar-10-batches-py"


def rows(seed, count):
    return np.random.RandomState(seed).randint(0, 256, (count, 3072), dtype=np.uint8)


class TestCifar10(PreparerCase):
    preparer = Cifar10
    official = (10, "top1", {"official": (40000, 10000, 10000)})
    classes = ("airplane", "automobile")
    counts = {"official": (8, 2, 4)}
    labels = {"train/00000.png": 0, "train/00001.png": 1, "train/00009.png": 1, "test/00003.png": 1}

    def build(self, folder):
        members = {f"{TOP}/batches.meta": dumps({"label_names": list(self.classes)}), f"{TOP}/readme.html": b"<html>"}
        for number in range(1, 6):
            members[f"{TOP}/data_batch_{number}"] = dumps({"data": rows(number, 2), "labels": [0, 1]})
        members[f"{TOP}/test_batch"] = dumps({"data": rows(9, 4), "labels": [0, 1, 0, 1]})
        return [tar(folder / "cifar-10-python.tar.gz", members)]

    def test_pixels_are_the_planes_red_green_blue(self, tmp_path, archives):
        test = list_task(str(self.prepare(tmp_path, archives).folder)).images("test")
        for index, row in enumerate(rows(9, 4)):
            pixels = test.pixels(index)
            assert pixels[0, 1].tolist() == [row[1], row[1024 + 1], row[2048 + 1]]
            assert pixels[31, 0].tolist() == [row[992], row[1024 + 992], row[2048 + 992]]


def test_a_pickle_that_runs_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "made"),)

    (tmp_path / "batch").write_bytes(pickle.dumps({"data": Evil()}))
    with pytest.raises(UserError, match="which no array needs"):
        read_batch(tmp_path / "batch")
    assert not (tmp_path / "made").exists()


def test_rows_of_another_length_are_refused(tmp_path):
    case = TestCifar10()
    [archive] = case.build(tmp_path)
    members = {f"{TOP}/batches.meta": dumps({"label_names": list(case.classes)})}
    members |= {f"{TOP}/data_batch_{i}": dumps({"data": rows(i, 2)[:, :300], "labels": [0, 1]}) for i in range(1, 6)}
    tar(archive, members)
    with pytest.raises(UserError, match="data_batch_1: expected 2 rows of 3072 bytes"):
        case.prepare(tmp_path, [archive])
