from dataclasses import replace

import pytest
from preparer_case import PreparerCase, picture, tar, without_hashes, zipped
from test_dtd import TestDtd as _Dtd
from test_plant_disease import CLASSES, kaggle

from mmbnft.tasks.preparers import Counts, Entry, Lists, Reading, build_preparer, prepare
from mmbnft.tasks.preparers.dtd import Dtd
from mmbnft.tasks.preparers.plant_disease import PlantDisease
from mmbnft.tasks.preparers.verification import check_reading
from mmbnft.utils.errors import UserError
from mmbnft.utils.files import read_json, write_json

FACTS = without_hashes(Dtd.facts, classes=2, counts={"1": Counts(2, 2, 2)}, images=6, images_per_class={"a": 3, "b": 3})


def reading(train=(0, 1), val=(0, 1), test=(0, 1), classes=("a", "b"), names=None):
    labels = [*train, *val, *test]
    names = names or [f"{i}.jpg" for i in range(len(labels))]
    entries = [Entry(name, label) for name, label in zip(names, labels, strict=True)]
    cuts = len(train), len(train) + len(val)
    return Reading(classes, {"1": Lists(entries[: cuts[0]], entries[cuts[0] : cuts[1]], entries[cuts[1] :])})


def test_what_agrees_passes():
    check_reading(FACTS, reading())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (reading(classes=("a", "a")), "expected 2 classes, found 1"),
        (reading(train=(0, 1, 1)), "split 1: expected 2 train images, found 3"),
        (reading(val=(0, 2)), "3.jpg has class 2; expected 0 to 1"),
        (reading(val=(0, -1)), "3.jpg has class -1; expected 0 to 1"),
        (reading(test=(1, 1)), "no test image of class 0; expected images of all 2 classes"),
        (reading(val=(0, 0)), "expected 3 images of class 'a', found 4"),
        (reading(names=["0", "1", "2", "3", "4", "0"]), "0 is in train and again in test"),
        (reading(names=["0", "1", "1", "3", "4", "5"]), "1 is in train and again in val"),
        (reading(names=["0", "0", "2", "3", "4", "5"]), "0 is in train and again in train"),
        (replace(reading(), splits={}), "expected the splits 1, found"),
    ],
)
def test_what_differs_is_named(wrong, message):
    with pytest.raises(UserError, match=message):
        check_reading(FACTS, wrong)


def test_total_over_all_lists():
    with pytest.raises(UserError, match="expected 7 images in all, found 6 in the lists"):
        check_reading(replace(FACTS, images=7), reading())


def test_published_hash_is_checked_before_unpacking(tmp_path):
    """The miniature is not the published archive, and the official facts say so."""
    [archive] = _Dtd().build(tmp_path)
    with pytest.raises(UserError, match="truncated or another version: its MD5 is .*, the published one fff73e5086ae6"):
        prepare(build_preparer("dtd"), tmp_path / "data", [archive])
    assert not (tmp_path / "data" / "dtd" / "images").exists()


def test_archives_put_into_the_task_folder_are_found(tmp_path):
    folder = tmp_path / "data" / "dtd" / "archives"
    folder.mkdir(parents=True)
    _Dtd().build(folder)
    (folder / "other.tar.gz.part").write_bytes(b"an unfinished download")
    (folder / "other.tar.gz.part.etag").write_text('"1"')
    assert _Dtd().prepare(tmp_path, []).decoded == 9


def test_unpacked_folder_instead_of_the_archive(tmp_path):
    [archive] = _Dtd().build(tmp_path)
    first = _Dtd().prepare(tmp_path / "one", [archive])
    unpacked = first.folder / "images" / "dtd"
    second = _Dtd().prepare(tmp_path / "two", [unpacked])
    assert second.reading == first.reading


def test_later_calls_need_no_archive(tmp_path):
    [archive] = _Dtd().build(tmp_path)
    _Dtd().prepare(tmp_path, [archive])
    archive.unlink()
    assert _Dtd().prepare(tmp_path, []).decoded == 0


def test_archive_is_hashed_and_unpacked_once(tmp_path, monkeypatch):
    [archive] = _Dtd().build(tmp_path)
    _Dtd().prepare(tmp_path, [archive])
    monkeypatch.setattr("mmbnft.tasks.preparers.preparation.unpack", None)
    monkeypatch.setattr("mmbnft.tasks.preparers.preparation.md5_file", None)
    assert _Dtd().prepare(tmp_path, [archive]).decoded == 0


def test_interrupted_unpacking_continues(tmp_path, monkeypatch):
    [archive] = _Dtd().build(tmp_path)
    written = []

    def interrupt(place, content):
        if len(written) == 4:
            raise KeyboardInterrupt
        written.append(place)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)

    with monkeypatch.context() as patch:
        patch.setattr("mmbnft.tasks.preparers.archives.write_file", interrupt)
        with pytest.raises(KeyboardInterrupt):
            _Dtd().prepare(tmp_path, [archive])
    kept = {path: path.stat().st_mtime_ns for path in written}
    _Dtd().prepare(tmp_path, [archive])
    assert kept == {path: path.stat().st_mtime_ns for path in written}


def test_interrupted_decoding_continues(tmp_path, monkeypatch):
    [archive] = _Dtd().build(tmp_path)
    calls = []

    def interrupt(path):
        calls.append(path)
        if len(calls) > 5:
            raise KeyboardInterrupt
        return ""

    with monkeypatch.context() as patch:
        patch.setattr("mmbnft.tasks.preparers.verification._failure", interrupt)
        patch.setattr("os.cpu_count", lambda: 1)
        with pytest.raises(KeyboardInterrupt):
            _Dtd().prepare(tmp_path, [archive])
    assert _Dtd().prepare(tmp_path, [archive]).decoded == 9 - 5


def test_check_decodes_everything_again(tmp_path):
    [archive] = _Dtd().build(tmp_path)
    _Dtd().prepare(tmp_path, [archive])
    assert prepare(Dtd(_Dtd().facts()), tmp_path / "data", check=True).decoded == 9


def test_damaged_archive_image_is_named(tmp_path):
    """What cannot be repaired is one sentence with all of the images."""
    names = [f"{name}/{name}_{i:04d}.jpg" for name in _Dtd.classes for i in (1, 2, 3)]
    lists = {
        f"dtd/labels/{p}{k}.txt": "\n".join(names[i::3]) for k in range(1, 11) for i, p in enumerate(Lists._fields)
    }
    members = {f"dtd/images/{name}": picture(1)[:60] for name in names} | {k: v.encode() for k, v in lists.items()}
    archive = tar(tmp_path / "dtd-r1.0.1.tar.gz", members)
    for _ in range(2):
        with pytest.raises(
            UserError, match=r"9 of 9 images are missing or damaged: .*banded_0001.jpg .*; .*waffled_0003.jpg"
        ):
            _Dtd().prepare(tmp_path, [archive])


def test_image_changed_without_changing_its_size(tmp_path):
    [archive] = _Dtd().build(tmp_path)
    first = _Dtd().prepare(tmp_path, [archive])
    image = first.folder / "images" / first.reading.names()[0]
    image.write_bytes(b"x" * image.stat().st_size)
    archive.unlink()
    with pytest.raises(UserError, match="1 of 9 images are missing or damaged"):
        _Dtd().prepare(tmp_path, [])


def test_damaged_records_are_made_anew(tmp_path):
    [archive] = _Dtd().build(tmp_path)
    folder = _Dtd().prepare(tmp_path, [archive]).folder
    (folder / "prepared.json").write_text("{")
    (folder / "task.json").write_text("[1]")
    assert _Dtd().prepare(tmp_path, [archive]).decoded == 9
    assert read_json(folder / "task.json")["name"] == "dtd"


def test_leakage_is_kept_as_long_as_the_lists_are_the_same(tmp_path):
    [archive] = _Dtd().build(tmp_path)
    folder = _Dtd().prepare(tmp_path, [archive]).folder
    write_json(folder / "task.json", read_json(folder / "task.json") | {"leakage": {"splits": {}}})
    _Dtd().prepare(tmp_path, [archive])
    assert "leakage" in read_json(folder / "task.json")
    write_json(folder / "task.json", read_json(folder / "task.json") | {"list_hashes": {}})
    _Dtd().prepare(tmp_path, [archive])
    assert "leakage" not in read_json(folder / "task.json")


def test_wrong_archive_and_missing_archive(tmp_path):
    other = zipped(tmp_path / "dogs.zip", {"a": b""})
    with pytest.raises(UserError, match=r"dogs.zip is not an archive of dtd; expected dtd-r1.0.1.tar.gz, or a folder"):
        _Dtd().prepare(tmp_path, [other, *_Dtd().build(tmp_path)])
    with pytest.raises(UserError, match="there is no archive"):
        _Dtd().prepare(tmp_path, [tmp_path / "dtd-r1.0.1.tar.gz.none", *_Dtd().build(tmp_path)])


def test_unknown_data_set():
    with pytest.raises(UserError, match="unknown data set 'imagenet'; allowed: aircraft, caltech101"):
        build_preparer("imagenet")


def test_train_and_test_folders_must_agree(tmp_path):
    [archive] = kaggle(tmp_path)
    members = {f"dataset/train/{name}/a.jpg": picture() for name in CLASSES}
    zipped(archive, members | {f"dataset/test/{name}/b.jpg": picture() for name in CLASSES[:2]})
    facts = without_hashes(PlantDisease.facts, classes=3, counts={"kaggle": Counts(3, 0, 3)})
    with pytest.raises(UserError, match="train and test do not have the same class folders"):
        prepare(PlantDisease(facts), tmp_path / "data", [archive])


def test_base_case_is_abstract(tmp_path):
    with pytest.raises(NotImplementedError):
        PreparerCase().build(tmp_path)
