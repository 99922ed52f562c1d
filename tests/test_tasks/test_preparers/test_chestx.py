import pytest
from preparer_case import PreparerCase, picture, tar, text, zipped

from mmbnft.tasks import list_task
from mmbnft.tasks.preparers.chestx import CLASSES, ChestX
from mmbnft.utils.errors import UserError

HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],"
)
DROPPED = ("No Finding", "Pneumonia", "Hernia", "Mass|Nodule")  # and what has several findings


def tables(folder):
    """Ten training patients with the seven findings, one test patient; a dropped image of each kind."""
    rows = {f"{1 + i // 7:08d}_{i % 7:03d}.png": CLASSES[i % 7] for i in range(70)}
    rows |= {f"00000099_{i:03d}.png": name for i, name in enumerate(CLASSES)}
    dropped = {f"00000001_{100 + i:03d}.png": name for i, name in enumerate(DROPPED)}
    lines = [f"{name},{label},0,1,058Y,M,PA,2682,2749,0.143,0.143," for name, label in (rows | dropped).items()]
    (folder / "Data_Entry_2017.csv").write_bytes(text(HEADER, *lines))
    (folder / "train_val_list.txt").write_bytes(text(*dropped, *list(rows)[:70]))
    (folder / "test_list.txt").write_bytes(text(*list(rows)[70:]))
    pictures = {name: picture(i, (8, 8), "L", "PNG") for i, name in enumerate(rows | dropped)}
    pictures["00000001_000.png"] = picture(0, (8, 8), "RGBA", "PNG")
    return pictures, [folder / name for name in ("Data_Entry_2017.csv", "train_val_list.txt", "test_list.txt")]


class TestChestX(PreparerCase):
    preparer = ChestX
    official = (7, "mean_per_class", {"official": (None, None, None)})
    classes = ("Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumothorax")
    counts = {"official": (56, 14, 7)}
    labels = {"images/00000001_000.png": 0, "images/00000002_006.png": 6, "images/00000099_003.png": 3}
    absent = tuple(f"images/00000001_{100 + i:03d}.png" for i in range(len(DROPPED)))

    def build(self, folder):
        pictures, files = tables(folder)
        names = list(pictures)
        archives = [
            tar(folder / f"images_{k + 1:03d}.tar.gz", {f"images/{name}": pictures[name] for name in names[k::2]})
            for k in range(2)
        ]
        return archives + files

    def test_subset_size(self):
        assert self.preparer.facts.images == 25848

    def test_patients_stay_together(self, tmp_path, archives):
        task = list_task(str(self.prepare(tmp_path, archives).folder))
        patients = [
            {task.images(p).name(i)[7:15] for i in range(len(task.images(p)))} for p in ("train", "val", "test")
        ]
        assert [len(group) for group in patients] == [8, 2, 1]
        assert not patients[0] & patients[1]

    def test_missing_image_archive(self, tmp_path, archives):
        with pytest.raises(UserError, match=r"are not below .* give all twelve image archives"):
            self.prepare(tmp_path, archives[1:])


def test_kaggle_layout(tmp_path):
    """Twelve folders instead of one, everything in one archive."""
    pictures, files = tables(tmp_path)
    members = {f"images_{1 + i % 12:03d}/images/{name}": data for i, (name, data) in enumerate(pictures.items())}
    archive = zipped(tmp_path / "archive.zip", members | {path.name: path.read_bytes() for path in files})
    lists = TestChestX().prepare(tmp_path, [archive]).reading.splits["official"]
    assert [len(part) for part in lists] == [56, 14, 7]
