"""Lists as people write them are read, whatever separates name and class, or are refused with a sentence."""

import subprocess
import sys
from itertools import chain

import pytest
from own_images import make_classes, prepare, save

from mmbnft.tasks.preparers.own.found import order_classes
from mmbnft.utils.errors import UserError

CLASSES = ("red ant", "bee", "a,b; c")  # names with spaces and delimiters


@pytest.fixture
def images(tmp_path):
    return tmp_path / "photos"


def write(images, rows, name="all.txt", head=()):
    path = images.parent / name
    path.write_text("\n".join([*head, *rows]) + "\n", encoding="utf-8")
    return path


def labelled(names, delimiter=" ", label=lambda name: str(CLASSES.index(name.split("/")[0]))):
    return [f"{name}{delimiter}{label(name)}" for name in names]


@pytest.mark.parametrize("delimiter", [" ", "   ", "\t", ",", ", ", ";", " ; "])
def test_delimiters_and_names_that_hold_them(images, delimiter):
    names = make_classes(images, CLASSES)
    task, remarks, lists = prepare(images, lists=(write(images, labelled(names, delimiter)),))
    assert task.classes == ("0", "1", "2")
    assert sorted(chain(*lists.values())) == sorted(names)
    assert remarks == ["divided 60/20/20 with seed 0, every class alike"]


@pytest.mark.parametrize(
    ("head", "remark"),
    [
        (["# made by hand"], "1 comment line left out"),
        (["#name class", "# x", ""], "2 comment lines left out"),
        (["image label"], "the first line is a header (image, label)"),
        (["file,target"], None),
    ],
)
def test_headers_comments_and_trailing_spaces(images, head, remark):
    names = make_classes(images, CLASSES)
    rows = [f"{row}  " for row in labelled(names, "," if remark is None else " ")]
    _, remarks, lists = prepare(images, lists=(write(images, rows, head=head),))
    assert sum(map(len, lists.values())) == 15
    assert remarks[0].endswith(remark or "the first line is a header (file, target)")


def test_a_name_that_begins_like_a_comment(images):
    names = [*make_classes(images, CLASSES), "#1.png"]
    save(images / "#1.png", 77)
    lists = prepare(images, lists=(write(images, [*labelled(names[:-1]), "#1.png 1"]),))[2]
    assert "#1.png" in chain(*lists.values())


@pytest.mark.parametrize(
    "spell",
    [lambda name, images: f"./{name}", lambda name, images: f"bee/../{name}", lambda name, images: str(images / name),
     lambda name, images: f"/data/of/another machine/{name}", lambda name, images: name.replace("/", "\\")],
)  # fmt: skip
def test_one_image_has_one_name(images, spell):
    names = make_classes(images, CLASSES)
    train, test = names[0::2], names[1::2]
    spelled = [f"{spell(name, images)}\t{name.split('/')[0]}" for name in train]
    plain = [f"{name}\t{name.split('/')[0]}" for name in test]
    lists = write(images, spelled, "train.txt"), write(images, plain, "test.txt")
    task, _, found = prepare(images, lists=lists)
    assert sorted(chain(*found.values())) == sorted(names)
    assert task.classes == tuple(sorted(CLASSES))
    again = write(images, [*plain, f"{train[0]}\t{train[0].split('/')[0]}"], "test.txt")
    with pytest.raises(UserError, match=r"test\.txt:8: red ant/0\.png is already listed at .*train\.txt:1"):
        prepare(images, lists=(lists[0], again))


def test_names_that_lead_out_of_the_folder(images):
    names = make_classes(images, CLASSES)
    save(images.parent / "x.png", 5)
    with pytest.raises(UserError, match=r"all\.txt:16: '\.\./x\.png' is not below the image folder"):
        prepare(images, lists=(write(images, [*labelled(names), "../x.png 1"]),))


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (("01", "1"), "the labels '01' and '1' are one number in two spellings"),
        (("Ant", "ant"), "the labels 'Ant' and 'ant' differ only in letter case"),
    ],
)
@pytest.mark.parametrize("count", [1, 2])
def test_labels_in_two_spellings_are_named_as_such(images, labels, words, count):
    names = make_classes(images, ("ant", "bee"), count=6)
    rows = [f"{name} {labels[k % 2] if name.startswith('ant') else 'bee'}" for k, name in enumerate(names)]
    paths = tuple(write(images, rows[k::count], f"{k}.txt") for k in range(count))
    with pytest.raises(UserError, match=words):
        prepare(images, lists=paths)


def test_padded_numbers_alone_are_fine_and_sort_by_value(images):
    names = make_classes(images, ("b", "a"), count=5)
    rows = labelled(names, label=lambda name: {"a": "010", "b": "009"}[name[0]])
    assert prepare(images, lists=(write(images, rows),))[0].classes == ("009", "010")


def test_numbers_with_a_point_are_whole_numbers(images):
    names = make_classes(images, ("a", "b"))
    rows = labelled(names, label=lambda name: {"a": "0.0", "b": "10.0"}[name[0]])
    task, remarks, _ = prepare(images, lists=(write(images, rows),))
    assert task.classes == ("0", "10")
    assert "labels are whole numbers written with .0, and taken without it" in remarks


def test_a_negative_label_is_remarked_on(images):
    names = make_classes(images, ("a", "b", "c"))
    rows = labelled(names, label=lambda name: {"a": "-1", "b": "0", "c": "1"}[name[0]])
    task, remarks, _ = prepare(images, lists=(write(images, rows),))
    assert task.classes == ("-1", "0", "1")
    assert any("the label -1 counts as a class of its own" in remark for remark in remarks)


def test_the_order_of_classes_does_not_depend_on_hashing():
    labels = [f"class {k}" for k in range(40)]
    code = (
        "from mmbnft.tasks.preparers.own.found import order_classes;"
        f"print(order_classes(set({labels!r}), 'x'), order_classes({{'10', '9', '-1', '0'}}, 'x'))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)}, check=True,
            capture_output=True, text=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert outputs == {f"{tuple(sorted(labels))} ('-1', '0', '9', '10')\n"}
    assert order_classes(labels, "x") == tuple(sorted(labels))


def test_a_class_that_train_or_val_lacks(images):
    names = make_classes(images, ("ant", "bee", "cat"), count=6)
    rows = {name: f"{name} {name.split('/')[0]}" for name in names}
    few = [rows[name] for name in names if not name.startswith("cat")]
    cats = [rows[name] for name in names if name.startswith("cat")]
    train, test = write(images, few[::2], "train.txt"), write(images, few[1::2] + cats, "test.txt")
    with pytest.raises(UserError, match="class 'cat' has no train image; give it some, or take it out of test"):
        prepare(images, lists=(train, test))
    paths = (
        write(images, few[0::3] + cats[::2], "train.txt"),
        write(images, few[1::3], "val.txt"),
        write(images, few[2::3] + cats[1::2], "test.txt"),
    )
    task, remarks, _ = prepare(images, lists=paths)
    assert task.classes == ("ant", "bee", "cat")
    assert "classes without an image in val: 1 (cat)" in remarks
    with pytest.raises(UserError, match="own, val: 1 of 3 classes have no image, e.g. 'cat', and roc_auc is undefined"):
        prepare(images, lists=paths, metric="roc_auc")


def test_names_that_are_all_wrong_are_one_sentence(images):
    make_classes(images)
    with pytest.raises(
        UserError, match="none of the 3 names is a file below .*photos, e.g. 'x/0.png'; correct --images"
    ):
        prepare(images, lists=(write(images, ["x/0.png a", "x/1.png b", "x/2.png b"]),))


def test_a_metric_that_does_not_fit_is_refused_before_anything_is_written(images, tmp_path):
    make_classes(images)
    with pytest.raises(UserError, match="own: the metric map11 is not defined for one class per image"):
        prepare(images, metric="map11")
    assert not (tmp_path / "data").exists()
