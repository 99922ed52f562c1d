"""Duplicates across splits that a preparation found reach every result."""

import json

import numpy as np
import pytest
from PIL import Image

from mmbnft.evaluation.record import shared_details
from mmbnft.tasks import SplitLedger, build_task
from mmbnft.tasks.duplicates import check_leakage
from mmbnft.zoo.certificate import ControlCertificate


def scene(seed):
    coarse = np.random.RandomState(seed).randint(0, 256, (9, 9, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((48, 48), Image.Resampling.BICUBIC)


@pytest.fixture
def folder(tmp_path):
    """A prepared task: one test image has the pixels of a train image, one is a recompressed val image."""
    pictures = {"train": [1, 2, 3], "val": [4, 5, 6], "test": [3, 6, 7]}
    (tmp_path / "images").mkdir()
    (tmp_path / "lists" / "0").mkdir(parents=True)
    for part, seeds in pictures.items():
        rows = []
        for k, seed in enumerate(seeds):
            name = f"{part}{k}.jpg" if (part, seed) == ("test", 6) else f"{part}{k}.png"
            kind = dict(optimize=True) if part == "test" else {}  # other bytes, equal pixels
            scene(seed).save(tmp_path / "images" / name, **({"quality": 95} if name.endswith("jpg") else kind))
            rows.append(f"{name} {k % 2}\n")
        (tmp_path / "lists" / "0" / f"{part}.txt").write_text("".join(rows))
    (tmp_path / "task.json").write_text(json.dumps(dict(name="t", classes=["a", "b"], metric="top1")))
    return tmp_path


def read(folder):
    return build_task(dict(type="list_task", root=str(folder)))


def test_what_was_found_is_read_again(folder):
    assert read(folder).leakage is None  # nobody looked
    check_leakage(folder)
    found = SplitLedger(read(folder)).leakage
    assert (found["exact"], found["near"]) == (1, 1)
    assert found["between"] == {
        "train-val": {"exact": 0, "near": 0},
        "train-test": {"exact": 1, "near": 0},
        "val-test": {"exact": 0, "near": 1},
    }
    assert [pair["names"] for pair in found["examples"]] == [["train2.png", "test0.png"], ["val2.png", "test1.jpg"]]


def test_a_task_with_few_labels_tells_what_its_whole_lists_share(folder):
    few = dict(type="list_task", root=str(folder), per_class=dict(train=1))
    assert build_task(few).leakage is None
    check_leakage(folder)
    task = build_task(few)
    assert len(task.images("train")) == 2
    assert task.leakage == read(folder).leakage
    scene(51).save(folder / "images" / "train0.png")
    assert build_task(few).leakage is None


def test_it_counts_for_the_images_that_were_looked_at_only(folder):
    check_leakage(folder)
    scene(50).save(folder / "images" / "test2.png")
    assert read(folder).leakage is None


def test_it_is_in_the_result(folder, shapes, make_recipe):
    check_leakage(folder)

    from mmbnft.evaluation.run_spec import RunSpec

    model = dict(backbone=dict(type="ResNet"), head=dict(type="BnftLinearHead"))
    spec = RunSpec(model, dict(type="list_task", root=str(folder)), "linear", make_recipe())
    leakage = shared_details(spec, SplitLedger(read(folder)), ControlCertificate(None, ""), {}, None)["leakage"]
    assert (leakage["exact"], leakage["near"]) == (1, 1)
