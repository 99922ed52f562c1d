import numpy as np
from preparer_case import PreparerCase, tar
from py2_pickle import dumps

from mmbnft.tasks.preparers.cifar100 import Cifar100

TOP = "cifar-100-python"


class TestCifar100(PreparerCase):
    preparer = Cifar100
    official = (100, "top1", {"official": (40000, 10000, 10000)})
    classes = ("apple", "aquarium_fish", "baby")  # fine classes; the coarse labels beside them differ
    counts = {"official": (5, 1, 3)}
    labels = {"train/00000.png": 2, "train/00001.png": 1, "train/00002.png": 0, "test/00000.png": 0}

    def build(self, folder):
        data = np.random.RandomState(0).randint(0, 256, (9, 3072), dtype=np.uint8)
        members = {
            f"{TOP}/meta": dumps({"fine_label_names": list(self.classes), "coarse_label_names": ["food", "people"]}),
            f"{TOP}/train": dumps({"data": data[:6], "fine_labels": [2, 1, 0, 2, 1, 0], "coarse_labels": [1] * 6}),
            f"{TOP}/test": dumps({"data": data[6:], "fine_labels": [0, 1, 2], "coarse_labels": [1] * 3}),
            f"{TOP}/file.txt~": b"stray",
        }
        return [tar(folder / "cifar-100-python.tar.gz", members)]
