"""A run's images: from files or from the cache, at full or at stored size, and handed out in the right order."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from mmbnft.evaluation import run as run_module
from mmbnft.evaluation.arms.trained import TrainedArm
from mmbnft.evaluation.run import execute
from mmbnft.tasks import Task, TaskDataset, build_task, images
from mmbnft.utils.errors import UserError

CROP = [dict(type="RandomResizedCrop", size=32), dict(type="RandomHorizontalFlip")]
CENTRE = [dict(type="Resize", size=36), dict(type="CenterCrop", size=32)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A prepared task of two classes: dark and light noise of 40 to 55 pixels."""
    root, random = tmp_path_factory.mktemp("task"), np.random.default_rng(0)
    (root / "images").mkdir()
    (root / "lists" / "0").mkdir(parents=True)
    for part, count in (("train", 16), ("val", 8), ("test", 10)):
        lines = []
        for number in range(count):
            pixels = random.integers(0, 200, (40 + number, 50, 3)) + 55 * (number % 2)
            Image.fromarray(pixels.astype(np.uint8)).save(root / "images" / f"{part}{number}.jpg")
            lines.append(f"{part}{number}.jpg {number % 2}\n")
        (root / "lists" / "0" / f"{part}.txt").write_text("".join(lines))
    (root / "task.json").write_text(json.dumps(dict(name="shades", classes=["dark", "light"], metric="top1")))
    return root


@pytest.fixture
def make_file_spec(make_spec, make_recipe, folder):
    def make(protocol="bn", **changes):
        recipe = make_recipe(**dict(train_pipeline=CROP, test_pipeline=CENTRE, batch_size=8) | changes)
        return dataclasses.replace(make_spec(protocol, recipe), task=dict(type="list_task", root=str(folder)))

    return make


def essence(result):
    curve = [{k: v for k, v in entry.items() if k != "seconds"} for entry in result.details.get("curve", [])]
    details = {k: v for k, v in result.details.items() if k != "curve"}
    return result.key, result.value, curve, details


@pytest.mark.parametrize("protocol", ["bn", "linear", "knn"])
def test_the_cache_never_changes_a_result(make_file_spec, options, tmp_path, protocol):
    spec = make_file_spec(protocol, search={} if protocol == "knn" else dict(lr=[0.01, 0.1]))
    plain = execute(spec, options)
    cached = dataclasses.replace(options, cache=tmp_path / "cache")
    first, second = execute(spec, cached), execute(spec, cached)
    assert essence(plain) == essence(first) == essence(second)
    folder = tmp_path / "cache" / "images"
    if protocol != "knn":
        assert second.cost["image_cache_bytes"] == sum(path.stat().st_size for path in folder.iterdir()) > 0


def test_all_runs_share_what_was_decoded(make_file_spec, options, tmp_path, monkeypatch):
    decoded, real = [], images.decode_rgb
    monkeypatch.setattr(images, "decode_rgb", lambda path, where="": decoded.append(path.name) or real(path, where))
    cached = dataclasses.replace(options, cache=tmp_path)
    execute(make_file_spec("bn", epochs=3, search=dict(lr=[0.01, 0.1])), cached)
    assert set(decoded) == {f"{part}{k}.jpg" for part, n in (("train", 16), ("val", 8), ("test", 10)) for k in range(n)}
    once = len(decoded)
    # Twice for the size of a sample and for keeping, for each pipeline, and once to find the width of the features.
    assert once <= 2 * (2 * 24 + 10) + 1
    execute(make_file_spec("finetune", epochs=3, search=dict(lr=[0.02, 0.2])), cached)
    assert len(decoded) - once <= 1


def test_stored_side_changes_training_images_and_key_alone(make_file_spec, make_recipe, folder, options, tmp_path):
    plain, small = make_file_spec(), make_file_spec(stored_side=36)
    task = build_task(plain.task)
    assert plain.key(task) != small.key(task)
    assert small.recipe.training_steps == [dict(type="BnftShrink", side=36), *CROP]
    assert plain.recipe.training_steps == CROP
    tensor = [dict(type="ToTensor")]
    exact = TaskDataset(task, "train", [*plain.recipe.training_steps, *tensor], seed=0)
    stored = TaskDataset(task, "train", [*small.recipe.training_steps, *tensor], seed=0)
    assert not (exact[0]["img"] == stored[0]["img"]).all()
    result = execute(small, options)
    assert essence(result) == essence(execute(small, dataclasses.replace(options, cache=tmp_path / "cache")))
    assert result.details["curve"] != execute(plain, options).details["curve"]
    for wrong in (0, -3, 2.5, True, "256"):
        with pytest.raises(UserError, match="stored_side of recipe 'test' must be None or a whole number of pixels"):
            make_recipe(stored_side=wrong)


def test_results_name_the_lists_they_rest_on(make_file_spec, folder, options):
    hashes = build_task(dict(type="list_task", root=str(folder))).hashes
    train, val, test = ({part: hashes[part]} for part in ("train", "val", "test"))
    searched = execute(make_file_spec("linear", search=dict(lr=[0.01, 0.1])), options).details["splits"]
    assert searched == {"trained": train | val, "chosen": val, "reported": test}
    fixed = execute(make_file_spec("linear", fit_on="train"), options).details["splits"]
    assert fixed == {"trained": train, "chosen": {}, "reported": test}
    score = execute(make_file_spec("knn"), options).details["splits"]
    assert score == {"trained": train | val, "chosen": {}, "reported": {}}


def test_a_run_that_would_report_on_what_it_chose_on_is_refused_at_once(make_spec, options, monkeypatch, shapes):
    monkeypatch.setattr(run_module, "build_network", lambda *_: pytest.fail("a network was built"))
    wrong = dataclasses.replace(shapes, splits=shapes.splits | {"val": shapes.splits["test"]})
    for protocol in ("bn", "knn"):
        with pytest.raises(UserError, match="45 of 45 test images are in val too"):
            execute(make_spec(protocol), options, wrong)


def test_nothing_but_the_final_evaluation_can_have_test(make_spec, make_recipe, options, monkeypatch):
    """Whatever is between the ledger and the trainer, asking for test too early breaks the run off."""
    real = TrainedArm.candidates

    def cheat(arm):
        arm._dataset("test")
        return real(arm)

    monkeypatch.setattr(TrainedArm, "candidates", cheat)
    with pytest.raises(RuntimeError, match="while it could still influence a choice"):
        execute(make_spec(), options)


def test_test_labels_are_first_touched_after_training(make_spec, options, monkeypatch, shapes):
    events = []

    class Watched(type(shapes.splits["test"])):
        @property
        def labels(self):
            events.append("labels")
            return self._labels

        @labels.setter
        def labels(self, value):
            self._labels = value

    test = Watched(shapes.splits["test"].images, shapes.splits["test"].labels)
    task = Task(shapes.name, shapes.classes, shapes.metric, shapes.splits | {"test": test})
    real = TrainedArm.fit
    monkeypatch.setattr(TrainedArm, "fit", lambda *a: (real(*a), events.append("trained"))[0])
    events.clear()
    execute(make_spec(), options, task)
    assert events[0] == "trained"
    assert "labels" in events
