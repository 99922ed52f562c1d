from preparer_case import PreparerCase, picture, tar, text

from mmbnft.tasks.preparers.aircraft import Aircraft

TOP = "fgvc-aircraft-2013b"


class TestAircraft(PreparerCase):
    preparer = Aircraft
    official = (100, "mean_per_class", {"official": (3334, 3333, 3333)})
    classes = ("737-200", "Cessna 172", "F-16A/B", "F/A-18")
    counts = {"official": (5, 4, 4)}
    labels = {  # names with spaces and slashes, leading zeros
        f"{TOP}/data/images/0000001.jpg": 1,
        f"{TOP}/data/images/0000002.jpg": 2,
        f"{TOP}/data/images/0000003.jpg": 3,
    }
    absent = (f"{TOP}/data/images/0000099.jpg",)  # the README counts images that no list names

    def build(self, folder):
        ids = iter(range(13))
        members = {f"{TOP}/README": b"10,200 images of 102 variants", f"{TOP}/data/variants.txt": text(*self.classes)}
        for part in ("train", "val", "test"):
            names = [*self.classes, "737-200"] if part == "train" else self.classes
            rows = [f"{next(ids):07d} {name}" for name in names]
            members[f"{TOP}/data/images_variant_{part}.txt"] = text(*rows)
            members[f"{TOP}/data/images_family_{part}.txt"] = text(*(f"{row[:7]} family" for row in rows))
            members |= {f"{TOP}/data/images/{row[:7]}.jpg": picture(int(row[:7])) for row in rows}
        members[f"{TOP}/data/images/0000099.jpg"] = picture(99)
        return [tar(folder / f"{TOP}.tar.gz", members)]
