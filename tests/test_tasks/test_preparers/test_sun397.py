from preparer_case import PreparerCase, picture, tar, text, zipped

from mmbnft.tasks import list_task
from mmbnft.tasks.preparers.sun397 import Sun397

NAMES = ("/a/abbey", "/c/church/outdoor", "/j/jail_indoor", "/j/jail_cell")  # not sorted


class TestSun397(PreparerCase):
    preparer = Sun397
    official = (397, "top1", {f"{number:02d}": (15880, 3970, 19850) for number in range(1, 11)})
    classes = ("abbey", "church/outdoor", "jail_indoor", "jail_cell")
    counts = {f"{number:02d}": (7, 1, 4) for number in range(1, 11)}
    labels = {
        "SUN397/c/church/outdoor/sun_1.jpg": 1,
        "SUN397/j/jail_indoor/sun_1.jpg": 2,
        "SUN397/j/jail_cell/sun_1.jpg": 3,
    }
    absent = ("SUN397/a/abbey/sun_9.jpg",)
    inside = ""  # folder inside Partitions.zip

    def build(self, folder):
        pictures = {f"SUN397{name}/sun_{i}.jpg": picture(i) for name in NAMES for i in range(3)}
        # Other content under .jpg, as in the real archive.
        pictures["SUN397/a/abbey/sun_0.jpg"] = picture(0, form="BMP")
        pictures["SUN397/a/abbey/sun_1.jpg"] = picture(1, mode="RGBA", form="PNG")
        pictures["SUN397/a/abbey/sun_2.jpg"] = picture(2, mode="P", form="GIF")
        pictures["SUN397/a/abbey/sun_9.jpg"] = picture(9)
        pictures["SUN397/ClassName.txt"] = text(*NAMES)
        partitions = {f"{self.inside}ClassName.txt": text(*NAMES)}
        for number in range(1, 11):
            out = number % 3
            train = [f"{name}/sun_{i}.jpg" for name in NAMES for i in range(3) if i != out]
            partitions[f"{self.inside}Training_{number:02d}.txt"] = text(*train)
            partitions[f"{self.inside}Testing_{number:02d}.txt"] = text(*(f"{name}/sun_{out}.jpg" for name in NAMES))
        return [tar(folder / "SUN397.tar.gz", pictures), zipped(folder / "Partitions.zip", partitions)]

    def test_every_content_becomes_rgb(self, tmp_path, archives):
        task = list_task(str(self.prepare(tmp_path, archives).folder))
        assert {task.images("trainval").pixels(i).shape for i in range(8)} == {(10, 12, 3)}


class TestSun397WithPartitionsFolder(TestSun397):
    inside = "Partitions/"
