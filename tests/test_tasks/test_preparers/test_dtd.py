import pytest
from preparer_case import PreparerCase, picture, tar, text

from mmbnft.tasks.preparers.dtd import Dtd
from mmbnft.utils.errors import UserError


class TestDtd(PreparerCase):
    preparer = Dtd
    official = (47, "top1", {str(number): (1880, 1880, 1880) for number in range(1, 11)})
    classes = ("banded", "polka-dotted", "waffled")
    counts = {str(number): (3, 3, 3) for number in range(1, 11)}
    labels = {
        "dtd/dtd/images/banded/banded_0001.jpg": 0,
        "dtd/dtd/images/polka-dotted/polka-dotted_0002.jpg": 1,
        "dtd/dtd/images/waffled/waffled_0003.jpg": 2,
    }
    absent = ("dtd/dtd/images/waffled/.directory",)

    def build(self, folder):
        members = {"dtd/images/waffled/.directory": b"[Dolphin]", "dtd/labels/labels_joint_anno.txt": b""}
        for number in range(1, 11):
            for shift, part in enumerate(("train", "val", "test")):
                image = 1 + (number + shift) % 3  # every split divides the same images otherwise
                names = [f"{name}/{name}_{image:04d}.jpg" for name in self.classes]
                members[f"dtd/labels/{part}{number}.txt"] = text(*names)
                members |= {f"dtd/images/{name}": picture(image) for name in names}
        members["dtd/labels/labels_joint_anno.txt"] = text("banded/banded_0001.jpg banded waffled")
        return [tar(folder / "dtd-r1.0.1.tar.gz", members)]

    def test_ten_splits_differ(self, tmp_path, archives):
        folder = self.prepare(tmp_path, archives).folder
        lists = [(folder / "lists" / str(k) / "train.txt").read_text() for k in range(10)]
        assert len(set(lists)) == 3
        assert "banded_0002" in lists[0]  # official train1 is split 0

    def test_list_without_a_class(self, tmp_path, archives):
        """The classes that are left would be numbered anew."""
        folder = self.prepare(tmp_path, archives).folder
        (folder / "images" / "dtd" / "dtd" / "labels" / "val3.txt").write_bytes(text("waffled/waffled_0001.jpg"))
        archives[0].unlink()
        with pytest.raises(UserError, match=r"val3.txt does not hold every class of images/"):
            self.prepare(tmp_path, [])
