import pytest
from preparer_case import PreparerCase, picture, tar, text

from mmbnft.tasks.preparers.food101 import Food101
from mmbnft.utils.errors import UserError


class TestFood101(PreparerCase):
    preparer = Food101
    official = (101, "top1", {"official": (60600, 15150, 25250)})
    classes = ("apple_pie", "cheesecake", "cheese_plate")  # the file's order; sorting would swap the last two
    counts = {"official": (8, 1, 3)}
    labels = {
        "food-101/images/apple_pie/1000.jpg": 0,
        "food-101/images/cheesecake/1001.jpg": 1,
        "food-101/images/cheese_plate/1002.jpg": 2,
    }

    def build(self, folder):
        train = [f"{name}/{1000 + 10 * i + k}" for k, name in enumerate(self.classes) for i in range(3)]
        test = [f"{name}/{2000 + k}" for k, name in enumerate(self.classes)]
        members = {
            "food-101/meta/classes.txt": text(*self.classes),
            "food-101/meta/labels.txt": text("Apple pie", "Cheesecake", "Cheese plate"),
            "food-101/meta/train.txt": text(*train),
            "food-101/meta/test.txt": text(*test),
            "food-101/images/apple_pie/9999.jpg": picture(9),
        }
        members |= {f"food-101/images/{name}.jpg": picture(i, mode="L") for i, name in enumerate(train + test)}
        return [tar(folder / "food-101.tar.gz", members)]

    def test_unknown_class(self, tmp_path, archives):
        members = {"food-101/meta/classes.txt": text("apple_pie"), "food-101/meta/train.txt": text("pear/1")}
        tar(archives[0], members)
        with pytest.raises(UserError, match=r"train.txt: unknown class 'pear'; the data set has 1: apple_pie"):
            self.prepare(tmp_path, archives)
