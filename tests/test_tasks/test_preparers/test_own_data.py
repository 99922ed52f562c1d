import numpy as np
import pytest
from preparer_case import picture, text

from mmbnft.tasks import list_task
from mmbnft.tasks.preparers import OwnData, prepare_own
from mmbnft.tasks.preparers.summary import balance_lines
from mmbnft.utils.errors import UserError
from mmbnft.utils.files import read_json


@pytest.fixture
def images(tmp_path):
    """Two classes with spaces in their names, and files that are no images."""
    folder = tmp_path / "my images"
    for name, count in (("rusty leaf", 10), ("healthy leaf", 20)):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            (folder / name / f"leaf {i:02d}.JPG").write_bytes(picture(i + 100 * count))
    (folder / "healthy leaf" / "notes.txt").write_text("no image")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "x.jpg").write_bytes(picture())
    return folder


def rows_of(images, label=lambda name: name.partition(" ")[0]):
    paths = sorted(path for path in images.glob("*leaf/*.JPG"))
    return [(path.relative_to(images).as_posix(), label(path.parent.name)) for path in paths]


def write_rows(path, rows):
    path.write_bytes(text(*(f"{name} {field}" for name, field in rows)))
    return path


def test_class_folders(tmp_path, images):
    data = OwnData(images, "leaves")
    prepared = prepare_own(data, tmp_path / "data")
    task = list_task(str(prepared.folder))
    assert task.classes == ("healthy leaf", "rusty leaf")
    counts = {part: np.bincount(task.images(part).labels).tolist() for part in ("train", "val", "test")}
    assert counts == {"train": [12, 6], "val": [4, 2], "test": [4, 2]}
    remarks = read_json(prepared.folder / "task.json")["remarks"]
    assert "left out, hidden or a system's own: 1 (.cache/x.jpg)" in remarks
    assert "left out, no suffix of an image: 1 (healthy leaf/notes.txt)" in remarks
    assert balance_lines(prepared)[-1].endswith("2.0 times the images of the smallest")


def test_the_draw_depends_on_the_seed(tmp_path, images):
    first, again, other = (
        prepare_own(OwnData(images, f"leaves{k}", seed=seed), tmp_path / "data").reading.splits
        for k, seed in enumerate((0, 0, 1))
    )
    assert first == again
    assert first != other


def test_originals_are_not_touched(tmp_path, images):
    before = {path: path.read_bytes() for path in images.rglob("*") if path.is_file()}
    folder = prepare_own(OwnData(images, "leaves"), tmp_path / "data").folder
    for path in (folder / "images").rglob("*.JPG"):
        path.unlink()
    assert before == {path: path.read_bytes() for path in images.rglob("*") if path.is_file()}
    assert prepare_own(OwnData(images, "leaves"), tmp_path / "data").folder == folder


def test_groups_are_not_divided(tmp_path, images):
    groups = {name: f"plant{i % 10}" for i, (name, _) in enumerate(rows_of(images))}
    path = write_rows(tmp_path / "groups.txt", groups.items())
    lists = prepare_own(OwnData(images, "leaves", groups=path), tmp_path / "data").reading.splits["own"]
    seen = [{groups[entry.name] for entry in part} for part in lists]
    assert sum(len(part) for part in lists) == 30
    assert sum(len(part) for part in seen) == len(set.union(*seen)) == 10


def test_one_list_is_divided(tmp_path, images):
    path = write_rows(tmp_path / "all.txt", rows_of(images))
    reading = prepare_own(OwnData(images, "leaves", (path,)), tmp_path / "data").reading
    assert reading.classes == ("healthy", "rusty")
    assert [len(part) for part in reading.splits["own"]] == [18, 6, 6]


def test_two_lists_are_train_and_test(tmp_path, images):
    rows = rows_of(images)
    train = write_rows(tmp_path / "train.txt", rows[::3] + rows[1::3])
    test = write_rows(tmp_path / "test.txt", rows[2::3])
    lists = prepare_own(OwnData(images, "leaves", (train, test)), tmp_path / "data").reading.splits["own"]
    assert [len(part) for part in lists] == [16, 4, 10]
    assert [entry.name for entry in lists.test] == [name for name, _ in rows[2::3]]


def test_three_lists_are_kept_and_numbers_sort_as_numbers(tmp_path, images):
    rows = rows_of(images, lambda name: {"rusty leaf": "10", "healthy leaf": "9"}[name])
    paths = [write_rows(tmp_path / f"{k}.txt", rows[k::3]) for k in range(3)]
    reading = prepare_own(OwnData(images, "leaves", tuple(paths)), tmp_path / "data").reading
    assert reading.classes == ("9", "10")
    assert [[entry.name for entry in part] for part in reading.splits["own"]] == [
        [name for name, _ in rows[k::3]] for k in range(3)
    ]


def test_image_in_two_lists(tmp_path, images):
    rows = rows_of(images)
    paths = tuple(write_rows(tmp_path / f"{k}.txt", rows) for k in range(3))
    with pytest.raises(
        UserError, match=r"1\.txt:1: .*JPG is already listed at .*0\.txt:1; every image belongs to one list"
    ):
        prepare_own(OwnData(images, "leaves", paths), tmp_path / "data")


def test_listed_image_that_does_not_exist(tmp_path, images):
    path = write_rows(tmp_path / "all.txt", [*rows_of(images), ("rusty leaf/none.JPG", "rusty")])
    with pytest.raises(UserError, match=r"1 of 31 images are missing or damaged: rusty leaf/none.JPG does not exist"):
        prepare_own(OwnData(images, "leaves", (path,)), tmp_path / "data")


def test_damaged_image_is_named(tmp_path, images):
    (images / "rusty leaf" / "leaf 03.JPG").write_bytes(b"broken")
    with pytest.raises(UserError, match=r"1 of 30 images .*leaf 03.JPG cannot be decoded"):
        prepare_own(OwnData(images, "leaves"), tmp_path / "data")


def test_small_class(tmp_path, images):
    (images / "rare").mkdir()
    (images / "rare" / "a.png").write_bytes(picture(form="PNG"))
    with pytest.raises(UserError, match="class 'rare' has 1 image; a split needs at least 3"):
        prepare_own(OwnData(images, "leaves"), tmp_path / "data")


def test_class_of_one_group(tmp_path, images):
    groups = [(name, "one" if name.startswith("rusty") else f"g{i % 9}") for i, (name, _) in enumerate(rows_of(images))]
    path = write_rows(tmp_path / "groups.txt", groups)
    with pytest.raises(UserError, match="class 'rusty leaf' has too few groups"):
        prepare_own(OwnData(images, "leaves", groups=path), tmp_path / "data")


def test_image_without_a_group(tmp_path, images):
    path = write_rows(tmp_path / "groups.txt", [(name, "g") for name, _ in rows_of(images)[1:]])
    with pytest.raises(UserError, match="gives no group to 1 of 30 images, the first 'healthy leaf/leaf 00.JPG'"):
        prepare_own(OwnData(images, "leaves", groups=path), tmp_path / "data")


def test_empty_class_folder_is_named_and_left_out(tmp_path, images):
    (images / "empty").mkdir()
    prepared = prepare_own(OwnData(images, "leaves"), tmp_path / "data")
    assert prepared.reading.classes == ("healthy leaf", "rusty leaf")
    assert "left out, a class folder without an image: 1 (empty)" in read_json(prepared.folder / "task.json")["remarks"]


def test_one_class_is_no_task(tmp_path, images):
    path = write_rows(tmp_path / "all.txt", [(name, "leaf") for name, _ in rows_of(images)])
    with pytest.raises(UserError, match="leaves has the one class 'leaf'; a task needs at least two"):
        prepare_own(OwnData(images, "leaves", (path,)), tmp_path / "data")


@pytest.mark.parametrize("name", ["", "a/b", "..", "a b", ".hidden"])
def test_name_that_is_no_folder_name(images, name):
    with pytest.raises(UserError, match="must be letters, digits"):
        OwnData(images, name)


def test_other_mistakes(tmp_path, images):
    with pytest.raises(UserError, match="there is no image folder"):
        OwnData(tmp_path / "none", "x")
    with pytest.raises(UserError, match="at most three lists"):
        OwnData(images, "x", (images,) * 4)
    with pytest.raises(UserError, match="leave one of them out"):
        OwnData(images, "x", (images,) * 2, groups=images)
    with pytest.raises(UserError, match="unknown metric 'f1'; allowed"):
        OwnData(images, "x", metric="f1")
    with pytest.raises(UserError, match="would lie in your image folder"):
        prepare_own(OwnData(images, "x"), images)
    with pytest.raises(UserError, match=r"l\.txt:2: expected 'NAME CLASS' separated by .*, got 'one'"):
        (tmp_path / "l.txt").write_text("\none\n")
        prepare_own(OwnData(images, "x", (tmp_path / "l.txt",)), tmp_path / "data")
