import json

import numpy as np
import pytest
from PIL import Image

from mmbnft.tasks import ArrayImages, Task, build_task
from mmbnft.utils.errors import UserError


def make(labels=(0, 1), test=(0, 1), **changes):
    def images(numbers):
        return ArrayImages(np.zeros((len(numbers), 4, 4, 3), np.uint8), np.array(numbers))

    values = dict(name="t", classes=("cat", "dog"), metric="top1")
    values["splits"] = dict(train=images(labels), val=images((0,)), test=images(test))
    return Task(**(values | changes))


def test_empty_class_is_refused_by_name():
    with pytest.raises(UserError, match="task t: 1 of 2 classes have no train image, e.g. 'dog'"):
        make(labels=(0, 0))
    with pytest.raises(UserError, match="no test image, e.g. 'cat'"):
        make(test=(1, 1))


def test_unknown_metric_split_and_type():
    with pytest.raises(UserError, match="unknown metric 'f1'"):
        make(metric="f1")
    with pytest.raises(UserError, match="unknown split 'dev' of task t; allowed: all, test, train, trainval, val"):
        make().images("dev")
    with pytest.raises(UserError, match="unknown task type 'mnist'; allowed: array_task, digits, drawn, glyphs"):
        build_task(dict(type="mnist"))
    with pytest.raises(UserError, match="task type digits: .*colour"):
        build_task(dict(type="digits", colour=1))


def test_trainval_is_train_then_val():
    assert make().images("trainval").labels.tolist() == [0, 1, 0]


@pytest.fixture
def prepared(tmp_path):
    facts = dict(name="pets", classes=["cat", "dog"], metric="mean_per_class")
    (tmp_path / "task.json").write_text(json.dumps(facts))
    (tmp_path / "images").mkdir()
    (tmp_path / "lists" / "0").mkdir(parents=True)
    for split in ("train", "val", "test"):
        lines = []
        for number in (0, 1):
            name = f"{split} {number}.png"
            Image.fromarray(np.full((8, 6, 3), number * 90, np.uint8)).save(tmp_path / "images" / name)
            lines.append(f"{name} {number}\n")
        (tmp_path / "lists" / "0" / f"{split}.txt").write_text("".join(lines))
    return tmp_path


def test_list_task_reads_a_prepared_folder(prepared):
    task = build_task(dict(type="list_task", root=str(prepared)))
    assert (task.name, task.metric, task.classes) == ("pets", "mean_per_class", ("cat", "dog"))
    assert task.images("test").pixels(1).shape == (8, 6, 3)
    assert set(task.hashes) == {"train", "val", "test"}


def test_list_task_names_what_is_missing(prepared):
    with pytest.raises(UserError, match="has no split 3; it has: 0"):
        build_task(dict(type="list_task", root=str(prepared)), split=3)
    (prepared / "lists" / "0" / "val.txt").unlink()
    with pytest.raises(UserError, match=r"cannot read the list .*val\.txt"):
        build_task(dict(type="list_task", root=str(prepared)))
    (prepared / "task.json").write_text("{}")
    with pytest.raises(UserError, match=r"task\.json lacks 'classes'"):
        build_task(dict(type="list_task", root=str(prepared)))


def test_changed_list_changes_its_hash(prepared):
    before = build_task(dict(type="list_task", root=str(prepared))).hashes
    path = prepared / "lists" / "0" / "val.txt"
    path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    after = build_task(dict(type="list_task", root=str(prepared))).hashes
    assert after["val"] != before["val"]
    assert after["test"] == before["test"]


def test_few_labels_are_drawn_from_the_lists_alike_in_every_run(prepared):
    names = [f"{split} {number}.png" for split in ("train", "test") for number in (0, 1)]
    lines = [f"{name} {number % 2}\n" for number, name in enumerate([*names, "val 0.png"])]
    (prepared / "lists" / "0" / "train.txt").write_text("".join(lines))
    few = dict(type="list_task", root=str(prepared), per_class=dict(train=2))
    whole, first, again = (build_task(dict(few, **more)) for more in (dict(per_class=None), {}, {}))
    train = first.images("train")
    assert np.bincount(train.labels).tolist() == [2, 2]
    assert train.annotations.names == again.images("train").annotations.names
    assert [lines[number - 1] for number in train.annotations.lines] == [
        f"{name} {label}\n" for name, label in zip(train.annotations.names, train.labels, strict=True)
    ]
    shown = [train.annotations.names.index(name) for name in names if name in train.annotations.names]
    assert shown == sorted(shown)  # in the file's order
    assert first.hashes["train"] != whole.hashes["train"]
    assert first.hashes["test"] == whole.hashes["test"]
    assert build_task(dict(few, per_class=dict(train=9))).images("train").labels.tolist() == [0, 1, 0, 1, 0]


@pytest.mark.parametrize("wrong", [dict(train=0), dict(train=1.5), dict(trian=2)])
def test_wrong_numbers_of_labels_are_refused(prepared, wrong):
    with pytest.raises(UserError, match="per_class gives train, val or test a number of images from 1, got"):
        build_task(dict(type="list_task", root=str(prepared), per_class=wrong))


def test_a_list_with_several_classes_an_image_is_not_cut(prepared):
    facts = dict(name="pets", classes=["cat", "dog"], metric="map11", multi_label=True)
    (prepared / "task.json").write_text(json.dumps(facts))
    with pytest.raises(UserError, match="several classes per image, so it cannot be cut to 1 of each class"):
        build_task(dict(type="list_task", root=str(prepared), per_class=dict(train=1)))


def test_a_folder_that_is_not_prepared_says_what_to_do(tmp_path):
    with pytest.raises(
        UserError, match=r"is not a prepared task: it has no task\.json; prepare it with mmbnft prepare-data"
    ):
        build_task({"type": "list_task", "root": str(tmp_path)})
