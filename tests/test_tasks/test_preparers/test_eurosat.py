import pytest
from preparer_case import PreparerCase, picture, tar, zipped

from mmbnft.tasks.preparers import eurosat
from mmbnft.tasks.preparers.eurosat import Eurosat
from mmbnft.utils.errors import UserError


class TestEurosat(PreparerCase):
    preparer = Eurosat
    official = (10, "top1", {"stratified": (16200, 5400, 5400), "vissl": (8000, 2000, 5000)})
    classes = ("AnnualCrop", "Forest", "SeaLake")
    counts = {"stratified": (18, 6, 6), "vissl": (15, 3, 6)}
    labels = {"EuroSAT_RGB/AnnualCrop/AnnualCrop_1.jpg": 0, "EuroSAT_RGB/SeaLake/SeaLake_10.jpg": 2}
    top = "EuroSAT_RGB"
    archive = "EuroSAT_RGB.zip"

    @pytest.fixture(autouse=True)
    def _smaller_rule(self, monkeypatch):
        monkeypatch.setattr(eurosat, "FIRST", 6)
        monkeypatch.setattr(eurosat, "NEXT", 2)

    def build(self, folder):
        members = {f"{self.top}/{name}/{name}_{i}.jpg": picture(i) for name in self.classes for i in range(1, 11)}
        return [zipped(folder / self.archive, members)]

    def test_vissl_takes_sorted_names(self, tmp_path, archives):
        """Sorted as text: 1, 10, 2, 3, 4, 5 train; 6, 7 test."""
        lists = self.prepare(tmp_path, archives).reading.splits["vissl"]
        test = [entry.name.rpartition("/")[2] for entry in lists.test if entry.label == 1]
        train = {entry.name.rpartition("_")[2] for entry in lists.train + lists.val if entry.label == 1}
        assert test == ["Forest_6.jpg", "Forest_7.jpg"]
        assert train == {"1.jpg", "10.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg"}

    def test_stratified_takes_every_class_alike(self, tmp_path, archives):
        lists = self.prepare(tmp_path, archives).reading.splits["stratified"]
        for part, expected in zip(lists, (6, 2, 2), strict=True):
            assert [sum(entry.label == label for entry in part) for label in range(3)] == [expected] * 3


class TestEurosatOlderArchive(TestEurosat):
    top = "2750"
    archive = "EuroSAT.zip"
    labels = {"2750/AnnualCrop/AnnualCrop_1.jpg": 0}


def test_multispectral_archive_is_refused(tmp_path):
    archive = tar(tmp_path / "EuroSAT_MS.zip", {"EuroSAT_MS/Forest/Forest_1.tif": b"13 bands"})
    with pytest.raises(
        UserError, match=r"EuroSAT_MS.zip is not an archive of eurosat; expected EuroSAT.zip, EuroSAT_RGB"
    ):
        TestEurosat().prepare(tmp_path, [archive])
