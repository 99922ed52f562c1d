import pytest
from preparer_case import PreparerCase, picture, tar, text

from mmbnft.tasks.preparers.voc2007 import CLASSES, Voc2007
from mmbnft.utils.errors import UserError

TOP = "VOCdevkit/VOC2007"


class TestVoc2007(PreparerCase):
    preparer = Voc2007
    official = (20, "map11", {"official": (2501, 2510, 4952)})
    classes = CLASSES
    counts = {"official": (4, 2, 3)}
    labels = {
        f"{TOP}/JPEGImages/000001.jpg": tuple(range(20)),
        f"{TOP}/JPEGImages/000002.jpg": (14,),
        f"{TOP}/JPEGImages/000003.jpg": (8, 14),  # several classes
        f"{TOP}/JPEGImages/000004.jpg": (),  # only difficult objects: no class at all
    }

    def build(self, folder):
        parts = {"train": range(1, 5), "val": range(5, 7), "test": range(7, 10)}
        trainval = tar(folder / "VOCtrainval_06-Nov-2007.tar", self._members(parts, ("train", "val")))
        return [trainval, tar(folder / "VOCtest_06-Nov-2007.tar", self._members(parts, ("test",)))]

    @staticmethod
    def _flag(image, label):
        if image in (1, 5, 7) or (image == 2 and label == 14) or (image == 3 and label in (8, 14)):
            return "1"
        return "0" if image == 4 and label == 0 else "-1"

    def _members(self, parts, chosen):
        members = {}
        for part in chosen:
            ids = [f"{i:06d}" for i in parts[part]]
            members[f"{TOP}/ImageSets/Main/{part}.txt"] = text(*ids)
            members |= {f"{TOP}/JPEGImages/{i}.jpg": picture(int(i)) for i in ids}
            for label, name in enumerate(CLASSES):
                # Flags of one character are padded by a second space.
                rows = [f"{i} {self._flag(int(i), label):>2}" for i in ids]
                members[f"{TOP}/ImageSets/Main/{name}_{part}.txt"] = text(*rows)
        return members

    def test_flag_out_of_range(self, tmp_path, archives):
        members = {f"{TOP}/ImageSets/Main/train.txt": text("000001")}
        members[f"{TOP}/ImageSets/Main/aeroplane_train.txt"] = text("000001 2")
        tar(archives[0], members)
        with pytest.raises(UserError, match=r"aeroplane_train.txt: expected 'ID FLAG' with -1, 0 or 1, got '000001 2'"):
            self.prepare(tmp_path, archives[:1] + archives[1:])
