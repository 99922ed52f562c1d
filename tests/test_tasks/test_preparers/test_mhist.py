import pytest
from preparer_case import PreparerCase, picture, text, zipped

from mmbnft.tasks.preparers.mhist import Mhist
from mmbnft.utils.errors import UserError

HEADER = "Image Name,Majority Vote Label,Number of Annotators who Selected SSA (Out of 7),Partition"


class TestMhist(PreparerCase):
    preparer = Mhist
    official = (2, "mean_per_class", {"official": (1740, 435, 977)})
    classes = ("HP", "SSA")
    counts = {"official": (4, 1, 2)}
    labels = {"images/MHIST_aaa.png": 1, "images/MHIST_aab.png": 0, "images/MHIST_aag.png": 1}
    rows = ("aaa,SSA,6,train", "aab,HP,1,train", "aac,SSA,4,train", "aad,HP,0,train", "aae,HP,3,train")
    test_rows = ("aaf,HP,2,test", "aag,SSA,7,test")

    def build(self, folder):
        rows = [f"MHIST_{row.replace(',', '.png,', 1)}" for row in self.rows + self.test_rows]
        (folder / "annotations.csv").write_bytes(text(HEADER, *rows))
        members = {f"images/{row.partition(',')[0]}": picture(i, (224, 224), form="PNG") for i, row in enumerate(rows)}
        return [zipped(folder / "images.zip", members), folder / "annotations.csv"]

    def test_unknown_partition_and_label(self, tmp_path, archives):
        archives[1].write_bytes(text(HEADER, "MHIST_aaa.png,SSA,6,dev"))
        with pytest.raises(UserError, match=r"MHIST_aaa.png is in partition 'dev'; expected train or test"):
            self.prepare(tmp_path, archives)
        archives[1].write_bytes(text(HEADER, "MHIST_aaa.png,XX,6,train"))
        with pytest.raises(UserError, match=r"annotations.csv: unknown class 'XX'; the data set has 2: HP, SSA"):
            self.prepare(tmp_path, archives)

    def test_other_header(self, tmp_path, archives):
        archives[1].write_bytes(text("Image Name,Label", "MHIST_aaa.png,SSA"))
        with pytest.raises(UserError, match="has no column 'Majority Vote Label'"):
            self.prepare(tmp_path, archives)
