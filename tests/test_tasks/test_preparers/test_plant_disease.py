from preparer_case import PreparerCase, picture, zipped

from mmbnft.tasks.preparers.plant_disease import PlantDisease

CLASSES = (
    "Cherry_(including_sour)___healthy",
    "Corn_(maize)___Cercospora_leaf_spot Gray_leaf_spot",
    "Pepper,_bell___healthy",
)
FILES = [f"6a{i}-uuid___Rutg._HL {i}.JPG" for i in range(3)] + ["b___RS 3.jpg", "c___RS 4.png"]


def kaggle(folder):
    """Brackets, commas and spaces in folders, spaces in files, three suffixes; and a folder that is no class."""
    members = {}
    for position, name in enumerate((*CLASSES, "Background_without_leaves")):
        members |= {f"dataset/train/{name}/{file}": picture(position, form="PNG") for file in FILES}
        members |= {f"dataset/test/{name}/t {file}": picture(position) for file in FILES[:2]}
    return [zipped(folder / "archive.zip", members)]


class TestPlantDisease(PreparerCase):
    preparer = PlantDisease
    official = (38, "mean_per_class", {"kaggle": (34765, 8691, 10849)})
    classes = CLASSES
    counts = {"kaggle": (12, 3, 6)}
    labels = {
        f"dataset/train/{CLASSES[0]}/{FILES[0]}": 0,
        f"dataset/train/{CLASSES[1]}/{FILES[4]}": 1,
        f"dataset/test/{CLASSES[2]}/t {FILES[1]}": 2,
    }
    absent = (f"dataset/train/Background_without_leaves/{FILES[0]}",)

    def build(self, folder):
        return kaggle(folder)
