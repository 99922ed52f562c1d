import numpy as np
from preparer_case import PreparerCase, picture, tar, zipped

from mmbnft.tasks.preparers.caltech101 import Caltech101, _draw

TOP = "101_ObjectCategories"
# Images a class of the real data set in ASCII order, BACKGROUND_Google first.
SIZES = (
    "467 435 435 200 798 55 800 42 42 47 54 46 33 128 98 43 85 91 50 43 123 47 59 62 107 47 69 73 70 50 51 57 67 52 "
    "65 68 75 64 53 64 85 67 67 45 34 34 51 99 100 42 54 88 80 31 64 86 114 61 81 78 41 66 43 40 87 32 76 55 "
    "35 39 47 38 45 53 34 57 82 59 49 40 63 39 84 57 35 64 45 86 59 64 35 85 49 86 75 239 37 59 34 56 39 60"
)


class TestCaltech101(PreparerCase):
    preparer = Caltech101
    official = (102, "mean_per_class", {"ericsson": (1933, 483, 6728), "thirty": (2448, 612, 6084)})
    classes = ("BACKGROUND_Google", "Faces", "accordion")  # capitals first
    counts = {"ericsson": (48, 12, 39), "thirty": (72, 18, 9)}
    labels = {
        f"{TOP}/BACKGROUND_Google/image_0001.jpg": 0,
        f"{TOP}/Faces/image_0033.jpg": 1,
        f"{TOP}/accordion/image_0033.jpg": 2,
    }
    absent = (f"{TOP}/BACKGROUND_Google/tmp",)

    def build(self, folder):
        members = {
            f"{TOP}/{name}/image_{i:04d}.jpg": picture(i, (4, 4), "L") for name in self.classes for i in range(1, 34)
        }
        members[f"{TOP}/BACKGROUND_Google/tmp"] = b"stray"
        inner = tar(folder / "inner.tar.gz", members)
        outer = {
            f"caltech-101/{TOP}.tar.gz": inner.read_bytes(),
            "caltech-101/Annotations.tar": b"not unpacked",
            f"__MACOSX/caltech-101/._{TOP}.tar.gz": b"what a Mac adds",
        }
        return [zipped(folder / "caltech-101.zip", outer)]


def test_draw_with_replacement_is_the_published_split():
    """2,416 training and 6,728 test images, 17 to 30 a class, are figures of the published lists."""
    labels = np.repeat(np.arange(102), [int(size) for size in SIZES.split()])
    assert len(labels) == 9144
    chosen = sorted(_draw(labels, replace=True))
    assert (len(chosen), len(labels) - len(chosen)) == (2416, 6728)
    per_class = np.bincount(labels[chosen])
    assert (per_class.min(), per_class.max()) == (17, 30)


def test_draw_without_replacement_takes_thirty_of_each():
    labels = np.repeat(np.arange(102), [int(size) for size in SIZES.split()])
    assert set(np.bincount(labels[sorted(_draw(labels, replace=False))])) == {30}


def test_the_older_archive_alone_will_do(tmp_path):
    case = TestCaltech101()
    case.build(tmp_path)
    (tmp_path / "inner.tar.gz").rename(tmp_path / f"{TOP}.tar.gz")
    assert len(case.prepare(tmp_path, [tmp_path / f"{TOP}.tar.gz"]).reading.names()) == 99
