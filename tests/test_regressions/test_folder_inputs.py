"""Folders as people have them become the task they mean, or are refused with a sentence."""

import os

import pytest
from own_images import make_classes, prepare, save

from mmbnft.utils.errors import UserError


@pytest.fixture
def images(tmp_path):
    return tmp_path / "photos"


def sizes(lists):
    return [len(lists[part]) for part in ("train", "val", "test")]


@pytest.mark.parametrize(
    "names", [("train", "val", "test"), ("Train", "valid", "Test"), ("training", "validation", "testing")]
)
def test_split_folders_are_splits_not_classes(images, names):
    for seed, (name, count) in enumerate(zip(names, (6, 2, 3), strict=True)):
        make_classes(images / name, count=count, seed=seed)
    task, remarks, lists = prepare(images)
    assert task.classes == ("ant", "bee", "cat")
    assert sizes(lists) == [18, 6, 9]
    assert all(name.startswith(f"{names[2]}/") for name in lists["test"])
    assert f"{names[1]}/ is val" in remarks[0]
    assert "train, val and test as given" in remarks


def test_without_val_it_is_drawn_from_train_and_said(images):
    make_classes(images / "train", count=10)
    make_classes(images / "test", count=2, seed=1)
    _, remarks, lists = prepare(images)
    assert sizes(lists) == [24, 6, 6]
    assert all(name.startswith("train/") for name in lists["val"])
    assert "there is no val: 6 train images are drawn for it with seed 0" in remarks


def test_without_test_val_is_taken_as_test_and_said(images):
    make_classes(images / "train", count=10)
    make_classes(images / "val", count=2, seed=1)
    _, remarks, lists = prepare(images)
    assert all(name.startswith("val/") for name in lists["test"])
    assert all(name.startswith("train/") for name in lists["val"])
    assert "there is no test: val is taken as test, as published validation sets are" in remarks


def test_split_folders_that_cannot_be_understood(images):
    for part in ("train", "test"):
        save(images / part / "0.png", 0)
    with pytest.raises(UserError, match="test is named like a split but has no class folders"):
        prepare(images)
    for seed, part in enumerate(("train", "test")):
        (images / part / "0.png").unlink()
        make_classes(images / part, seed=seed)
    make_classes(images, ("other",), seed=9)
    with pytest.raises(UserError, match=r"holds split folders \(test, train\) beside other/"):
        prepare(images)


def test_a_class_that_happens_to_be_called_train(images):
    make_classes(images, ("bus", "car", "train"))
    assert prepare(images)[0].classes == ("bus", "car", "train")


def test_a_test_class_without_train_images_is_named(images):
    make_classes(images / "train", ("ant", "bee"))
    make_classes(images / "test", ("ant", "bee", "cat"), seed=1)
    with pytest.raises(UserError, match="class 'cat' has no train image; give it some, or take it out of test"):
        prepare(images)


def test_hidden_files_are_skipped_counted_and_named(images):
    make_classes(images)
    for name in ("ant/._0.png", ".DS_Store", ".ipynb_checkpoints/0-checkpoint.png", "bee/.ipynb_checkpoints/x.png"):
        (images / name).parent.mkdir(exist_ok=True)
        (images / name).write_bytes(b"\0\5\26\7")
    for name in ("__MACOSX/x.png", "cat/Thumbs.db"):
        (images / name).parent.mkdir(exist_ok=True)
        (images / name).write_bytes(b"x")
    task, remarks, lists = prepare(images)
    assert task.classes == ("ant", "bee", "cat")
    assert sum(sizes(lists)) == 15
    assert any(remark.startswith("left out, hidden or a system's own: 6 (.DS_Store") for remark in remarks)


def test_strays_and_empty_classes_are_named_and_the_rest_goes_on(images):
    make_classes(images)
    (images / "dog").mkdir()
    save(images / "loose.png", 77)
    (images / "ant" / "notes.txt").write_text("x")
    task, remarks, _ = prepare(images)
    assert task.classes == ("ant", "bee", "cat")
    assert "left out, a class folder without an image: 1 (dog)" in remarks
    assert "left out, not in a class folder: 1 (loose.png)" in remarks
    assert "left out, no suffix of an image: 1 (ant/notes.txt)" in remarks


def test_linked_classes_and_files_are_followed(images, tmp_path):
    make_classes(tmp_path / "store")
    images.mkdir()
    (images / "ant").symlink_to(tmp_path / "store" / "ant")
    (images / "bee").mkdir()
    for k in range(5):
        (images / "bee" / f"{k}.png").symlink_to(tmp_path / "store" / "bee" / f"{k}.png")
    make_classes(images, ("cat",), seed=3)
    task, _, lists = prepare(images)
    assert (task.classes, sizes(lists)) == (("ant", "bee", "cat"), [9, 3, 3])
    assert not any(path.is_symlink() for path in (tmp_path / "data" / "own" / "images").rglob("*"))


@pytest.mark.parametrize("target", ["..", ".", "../ant", "loop"])
def test_links_in_a_circle_are_refused(images, target):
    make_classes(images)
    (images / "ant" / "loop").symlink_to(target)
    with pytest.raises(UserError, match="the link .*loop lead(s back to|s nowhere)"):
        prepare(images)


def test_a_broken_link_is_a_missing_image(images):
    make_classes(images)
    (images / "ant" / "x.png").symlink_to("gone.png")
    with pytest.raises(UserError, match=r"1 of 16 images are missing or damaged: ant/x\.png does not exist"):
        prepare(images)


def test_one_picture_twice_in_a_class_is_taken_once(images):
    make_classes(images)
    (images / "ant" / "copy of 0.png").write_bytes((images / "ant" / "0.png").read_bytes())
    (images / "ant" / "link.png").symlink_to("1.png")
    os.link(images / "bee" / "0.png", images / "bee" / "z.png")
    _, remarks, lists = prepare(images)
    assert sum(sizes(lists)) == 15
    assert any(remark.startswith("left out, copies of another image of the class: 3 (") for remark in remarks)


def test_equal_pictures_with_different_labels_are_left_out(images):
    make_classes(images)
    (images / "bee" / "again.png").write_bytes((images / "ant" / "0.png").read_bytes())
    _, remarks, lists = prepare(images)
    assert sum(sizes(lists)) == 14
    assert "left out, equal images with different labels: 2 (ant/0.png, bee/again.png)" in remarks


def test_split_folders_in_class_folders(images):
    for seed, (part, count) in enumerate((("train", 6), ("val", 2), ("test", 3))):
        for name in ("ant", "bee"):
            for k in range(count):
                save(images / name / part / f"{k}.png", 100 * seed + 10 * k + len(name) + (name == "bee"))
    task, remarks, lists = prepare(images)
    assert (task.classes, sizes(lists)) == (("ant", "bee"), [12, 4, 6])
    assert all("/test/" in name for name in lists["test"])
    assert "the folders in each class are splits" in remarks
    save(images / "ant" / "loose.png", 999)
    with pytest.raises(UserError, match=r"give every image a split or none"):
        prepare(images)


def test_one_picture_in_two_split_folders_is_refused(images, tmp_path):
    make_classes(images / "train")
    make_classes(images / "test", seed=1)
    (images / "test" / "ant" / "9.png").write_bytes((images / "train" / "ant" / "0.png").read_bytes())
    with pytest.raises(UserError, match="1 of 16 test images are in train too"):
        prepare(images)
    assert not (tmp_path / "data" / "own" / "task.json").exists()


def test_classes_that_are_too_small_are_all_named_and_can_be_left_out(images):
    make_classes(images)
    make_classes(images, ("dog",), count=1, seed=1)
    make_classes(images, ("eel",), count=2, seed=2)
    with pytest.raises(UserError, match="class 'dog' has 1 image, class 'eel' has 2 images; .* --min-images 3"):
        prepare(images)
    task, remarks, _ = prepare(images, min_images=3)
    assert task.classes == ("ant", "bee", "cat")
    assert "left out, classes with fewer than 3 images: 2 (dog 1, eel 2)" in remarks


def test_class_folders_that_differ_in_letter_case_only(images):
    make_classes(images, ("ant", "Ant", "bee"))
    with pytest.raises(UserError, match="the labels 'Ant' and 'ant' differ only in letter case"):
        prepare(images)
