from preparer_case import PreparerCase
from test_isic2018 import part

from mmbnft.tasks.preparers.isic2018 import CLASSES
from mmbnft.tasks.preparers.isic2018_cdfsl import Isic2018CdFsl


class TestIsic2018CdFsl(PreparerCase):
    preparer = Isic2018CdFsl
    official = (7, "mean_per_class", {"stratified": (6015, 2000, 2000)})
    classes = CLASSES
    counts = {"stratified": (21, 7, 7)}
    labels = {"ISIC2018_Task3_Training_Input/ISIC_0000000.jpg": 0}

    def build(self, folder):
        return part(folder, "Training", 35, 0)  # validation and test are not needed

    def test_class_counts(self):
        counts = self.preparer.facts.images_per_class
        assert tuple(counts) == CLASSES
        assert sum(counts.values()) == 10015
        fifth = sum(count // 5 for count in counts.values())
        assert self.preparer.facts.counts["stratified"] == (10015 - 2 * fifth, fifth, fifth)
