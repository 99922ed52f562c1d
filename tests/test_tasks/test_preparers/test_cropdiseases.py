from preparer_case import PreparerCase
from test_plant_disease import CLASSES, FILES, kaggle
from test_plant_disease import TestPlantDisease as _PlantDisease

from mmbnft.tasks.preparers.cropdiseases import CropDiseases


class TestCropDiseases(PreparerCase):
    preparer = CropDiseases
    official = (38, "mean_per_class", {"stratified": (None, None, None)})
    classes = CLASSES
    counts = {"stratified": (9, 3, 3)}
    labels = {f"dataset/train/{CLASSES[0]}/{FILES[0]}": 0, f"dataset/train/{CLASSES[2]}/{FILES[4]}": 2}
    absent = (f"dataset/test/{CLASSES[0]}/t {FILES[0]}",)  # the benchmark's pool is the training folder

    def build(self, folder):
        return kaggle(folder)

    def test_pool_size(self):
        assert self.preparer.facts.images == 43456


def test_shares_what_plant_disease_unpacked(tmp_path):
    case, other = TestCropDiseases(), _PlantDisease()
    given = other.prepare(tmp_path, kaggle(tmp_path)).folder / "images"
    prepared = case.prepare(tmp_path, [given])
    name = prepared.reading.names()[0]
    assert (prepared.folder / "images" / name).samefile(given / name)
