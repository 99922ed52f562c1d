import pytest
from preparer_case import PreparerCase, picture, text, zipped

from mmbnft.tasks.preparers.isic2018 import CLASSES, Isic2018
from mmbnft.utils.errors import UserError

HEADER = "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC"


def part(folder, name, count, first):
    """The two archives of a part: image `i` has class `i % 7`."""
    ids = [f"ISIC_{first + i:07d}" for i in range(count)]
    rows = [f"{image},{','.join('1.0' if c == i % 7 else '0.0' for c in range(7))}" for i, image in enumerate(ids)]
    top = f"ISIC2018_Task3_{name}"
    pictures = {f"{top}_Input/{image}.jpg": picture(i) for i, image in enumerate(ids)}
    pictures |= {f"{top}_Input/LICENSE.txt": b"CC", f"{top}_Input/ATTRIBUTION.txt": b"by"}
    truth = {f"{top}_GroundTruth/{top}_GroundTruth.csv": text(HEADER, *rows)}
    return [zipped(folder / f"{top}_Input.zip", pictures), zipped(folder / f"{top}_GroundTruth.zip", truth)]


class TestIsic2018(PreparerCase):
    preparer = Isic2018
    official = (7, "mean_per_class", {"challenge": (10015, 193, 1512)})
    classes = CLASSES
    counts = {"challenge": (14, 3, 7)}
    labels = {
        "ISIC2018_Task3_Training_Input/ISIC_0000000.jpg": 0,
        "ISIC2018_Task3_Training_Input/ISIC_0000013.jpg": 6,
        "ISIC2018_Task3_Test_Input/ISIC_0000202.jpg": 2,
    }

    def build(self, folder):
        return part(folder, "Training", 14, 0) + part(folder, "Validation", 3, 100) + part(folder, "Test", 7, 200)

    def test_a_row_with_two_classes(self, tmp_path, archives):
        name = "ISIC2018_Task3_Training_GroundTruth"
        table = text(HEADER, "ISIC_0000000,1.0,1.0,0.0,0.0,0.0,0.0,0.0")
        zipped(archives[1], {f"{name}/{name}.csv": table})
        with pytest.raises(UserError, match="the row of ISIC_0000000 is not one-hot"):
            self.prepare(tmp_path, archives)

    def test_columns_in_another_order(self, tmp_path, archives):
        name = "ISIC2018_Task3_Training_GroundTruth"
        zipped(archives[1], {f"{name}/{name}.csv": text("image,NV,MEL,BCC,AKIEC,BKL,DF,VASC")})
        with pytest.raises(UserError, match="expected the columns image,MEL,NV"):
            self.prepare(tmp_path, archives)
