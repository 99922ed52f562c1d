from preparer_case import PreparerCase, picture, tar, text

from mmbnft.tasks import list_task
from mmbnft.tasks.preparers.pets import Pets

TOP = "oxford-iiit-pet"


class TestPets(PreparerCase):
    preparer = Pets
    official = (37, "mean_per_class", {"official": (2944, 736, 3669)})
    classes = ("Abyssinian", "American Bulldog", "Egyptian Mau")  # ignoring case, cats capital, dogs lower case
    counts = {"official": (5, 1, 3)}
    labels = {
        f"{TOP}/images/Abyssinian_34.jpg": 0,
        f"{TOP}/images/american_bulldog_2.jpg": 1,
        f"{TOP}/images/Egyptian_Mau_129.jpg": 2,
    }
    absent = (f"{TOP}/images/Abyssinian_999.jpg", f"{TOP}/images/Abyssinian_100.mat")

    def build(self, folder):
        breeds = {"Abyssinian": (1, 1, 1), "american_bulldog": (2, 2, 1), "Egyptian_Mau": (3, 1, 2)}
        row = {name: " ".join(str(number) for number in numbers) for name, numbers in breeds.items()}
        trainval = [f"{name}_{i} {row[name]}" for name, i in self._trainval()]
        test = [
            f"{name}_{i} {row[name]}" for name, i in (("Abyssinian", 3), ("american_bulldog", 3), ("Egyptian_Mau", 3))
        ]
        members = {f"images/{line.split()[0]}.jpg": picture(i) for i, line in enumerate(trainval + test)}
        # Other content under .jpg, as in the real archive: palette, transparent, grey; and files no list names.
        members["images/Abyssinian_34.jpg"] = picture(1, mode="P", form="GIF")
        members["images/Abyssinian_5.jpg"] = picture(2, mode="RGBA", form="PNG")
        members["images/Egyptian_Mau_129.jpg"] = picture(3, mode="L")
        members["images/Abyssinian_999.jpg"] = picture(4)
        members["images/Abyssinian_100.mat"] = b"MATLAB"
        annotations = {
            "annotations/trainval.txt": text(*trainval),
            "annotations/test.txt": text(*test),
            "annotations/list.txt": text("#Image CLASS-ID SPECIES BREED ID", *trainval),
            "annotations/trimaps/._Abyssinian_34.png": b"hidden twin",
        }
        return [tar(folder / "images.tar.gz", members), tar(folder / "annotations.tar.gz", annotations)]

    @staticmethod
    def _trainval():
        return [
            ("Abyssinian", 34),
            ("Abyssinian", 5),
            ("american_bulldog", 1),
            ("american_bulldog", 2),
            ("Egyptian_Mau", 129),
            ("Egyptian_Mau", 1),
        ]

    def test_every_content_becomes_rgb(self, tmp_path, archives):
        task = list_task(str(self.prepare(tmp_path, archives).folder))
        shapes = {task.images(part).pixels(i).shape for part in task.splits for i in range(len(task.images(part)))}
        assert shapes == {(10, 12, 3)}
