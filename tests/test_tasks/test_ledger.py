import dataclasses
import os

import numpy as np
import pytest

from mmbnft.tasks import ArrayImages, SplitLedger, Task, TaskDataset, refuse_shared_images
from mmbnft.tasks.annotation import read_list
from mmbnft.tasks.images import ListedImages
from mmbnft.utils.errors import UserError

PLAIN = [dict(type="ToTensor")]


def test_test_is_handed_out_once_after_choosing_is_closed(shapes):
    ledger = SplitLedger(shapes)
    for split in ("train", "val", "trainval", "train"):
        assert ledger.images(split).identity == shapes.images(split).identity
    with pytest.raises(RuntimeError, match="while it could still influence a choice"):
        ledger.images("test")
    ledger.close_choosing()
    assert ledger.images("test") is shapes.splits["test"]
    with pytest.raises(RuntimeError, match="test of task shapes was asked for twice"):
        ledger.images("test")


@pytest.mark.parametrize("split", ["train", "val", "trainval"])
def test_nothing_is_trained_or_chosen_on_after_choosing_is_closed(shapes, split):
    ledger = SplitLedger(shapes)
    ledger.close_choosing()
    with pytest.raises(RuntimeError, match=f"{split} of task shapes was asked for after choosing had been closed"):
        ledger.images(split)


def test_test_labels_are_not_reachable_from_a_data_set(shapes):
    ledger = SplitLedger(shapes)
    dataset = TaskDataset(ledger, "val", PLAIN)
    with pytest.raises(RuntimeError, match="still influence"):
        TaskDataset(ledger, "test", PLAIN)
    with pytest.raises(RuntimeError, match="still influence"):
        dataset.task.images("test")
    assert not hasattr(dataset.task, "splits")
    ledger.close_choosing()
    assert TaskDataset(ledger, "test", PLAIN)[0]["label"] == shapes.splits["test"].labels[0]


def test_it_reads_like_the_task(shapes):
    ledger = SplitLedger(shapes)
    for name in ("name", "classes", "metric", "split", "multi_label", "hashes"):
        assert getattr(ledger, name) == getattr(shapes, name)
    with pytest.raises(UserError, match="unknown split 'dev'"):
        ledger.images("dev")


def test_record_names_the_lists_of_every_use(shapes):
    train, val, test = (shapes.splits[name].identity for name in ("train", "val", "test"))
    ledger = SplitLedger(shapes)
    assert ledger.record("train", None) == {"trained": {"train": train}, "chosen": {}, "reported": {}}
    ledger.close_choosing()
    ledger.images("test")
    assert ledger.record("trainval", "val") == {
        "trained": {"train": train, "val": val},
        "chosen": {"val": val},
        "reported": {"test": test},
    }


@pytest.mark.parametrize("split", ["train", "val"])
def test_reporting_on_what_was_trained_or_chosen_on_is_refused(shapes, split):
    wrong = dataclasses.replace(shapes, splits=shapes.splits | {split: shapes.splits["test"]})
    with pytest.raises(UserError, match=f"task shapes: 45 of 45 test images are in {split} too; .* take them out"):
        SplitLedger(wrong)


@pytest.fixture
def make_listed(tmp_path):
    def make(**lists):
        (tmp_path / "images" / "sub").mkdir(parents=True, exist_ok=True)
        splits = {}
        for part, names in lists.items():
            for name in names:
                (tmp_path / "images" / name).write_bytes(os.path.normpath(name).encode())
            lines = "".join(f"{name} {number % 2}\n" for number, name in enumerate(names))
            (tmp_path / f"{part}.txt").write_text(lines)
            splits[part] = ListedImages(read_list(tmp_path / f"{part}.txt", 2), tmp_path / "images")
        return Task("own", ("a", "b"), "top1", splits)

    return make


def test_one_shared_file_is_enough_to_be_refused_and_is_named(make_listed):
    refuse_shared_images(make_listed(train=["a", "b"], val=["x", "c"], test=["d", "e"]))
    with pytest.raises(UserError, match=r"1 of 2 val images are in train too, e\.g\. .*/b; a choice .* trained on"):
        refuse_shared_images(make_listed(train=["a", "b"], val=["b", "c"], test=["d", "e"]))
    with pytest.raises(UserError, match=r"1 of 2 test images are in val too, e\.g\. .*/c; .* that were chosen on"):
        refuse_shared_images(make_listed(train=["a", "b"], val=["x", "c"], test=["c", "e"]))
    with pytest.raises(UserError, match=r"2 of 3 test images are in train too, e\.g\. .*/a; .* that were trained on"):
        refuse_shared_images(make_listed(train=["a", "b"], val=["c"], test=["sub/../a", "./b", "e"]))


def test_equal_names_in_different_folders_are_different_images(make_listed, tmp_path):
    task = make_listed(train=["a", "b"], val=["c"], test=["sub/a", "sub/b"])
    refuse_shared_images(task)
    (tmp_path / "other").mkdir()
    for name in ("a", "b"):
        (tmp_path / "other" / name).write_bytes(b"other" + name.encode())
    (tmp_path / "test.txt").write_text("a 0\nb 1\n")
    elsewhere = ListedImages(read_list(tmp_path / "test.txt", 2), tmp_path / "other")
    refuse_shared_images(dataclasses.replace(task, splits=task.splits | {"test": elsewhere}))


def arrays(*shades):
    pictures = np.stack([np.full((2, 2, 3), shade, np.uint8) for shade in shades])
    return ArrayImages(pictures, np.arange(len(shades)) % 2)


def test_images_in_memory_are_compared_one_by_one():
    refuse_shared_images(Task("grey", ("a", "b"), "top1", dict(train=arrays(1, 2), val=arrays(3), test=arrays(4, 5))))
    with pytest.raises(UserError, match="2 of 3 test images are in train too; a result"):
        task = Task("grey", ("a", "b"), "top1", dict(train=arrays(1, 2), val=arrays(3), test=arrays(2, 1, 5)))
        refuse_shared_images(task)


def test_the_few_copies_of_a_public_data_set_are_left_to_the_leakage_check():
    train = arrays(*range(40))
    for copies in (2, 3):
        test = arrays(*range(copies), *range(100, 140 - copies))
        task = Task("grey", ("a", "b"), "top1", dict(train=train, val=arrays(99), test=test))
        if copies == 2:
            refuse_shared_images(task)  # 5 %
        else:
            with pytest.raises(UserError, match="3 of 40 test images are in train too"):
                refuse_shared_images(task)
