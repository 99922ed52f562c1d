"""A key holds what can change a value, and nothing that cannot."""

import dataclasses
import json
from dataclasses import dataclass, field

import numpy as np
import pytest
from PIL import Image

from mmbnft.evaluation import run_spec as spec_module
from mmbnft.evaluation.run_spec import RunSpec, checkpoint_facts
from mmbnft.fewshot import EpisodeSettings, FewShotSpec, episode_facts, open_manifest
from mmbnft.grid.listing import stale_reasons
from mmbnft.recipes.recipe import Recipe
from mmbnft.recipes.settings import stated
from mmbnft.results import RESULTS_VERSION, Result
from mmbnft.tasks import build_task
from mmbnft.zoo import Checkpoint, resolve_checkpoint
from mmbnft.zoo.entry import UNIT

MODEL = dict(type="Classification", backbone=dict(type="ResNet", depth=18), head=dict(type="BnftLinearHead"))
PROBE = dict(solver="convex", weight_decays=[0.1, 1.0])
RECIPE = dict(name="r", epochs=2, batch_size=8, optimizer=dict(type="SGD", lr=0.1), search=dict(lr=[0.1, 0.2]))
OTHER = dict(name="s", remark="t", epochs=None, steps=9, batch_size=4, optimizer=dict(type="Adam", lr=0.2),
             search=dict(lr=[0.3, 0.4]), train_pipeline=[dict(type="RandomHorizontalFlip")], stored_side=64,
             precision="bfloat16", grad_clip=dict(max_norm=1))  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """A prepared task of eight pictures that say of themselves whether they are multi-label."""
    (tmp_path / "images").mkdir()
    (tmp_path / "lists" / "0").mkdir(parents=True)
    write_facts(tmp_path)
    random = np.random.default_rng(0)
    for part in ("train", "val", "test"):
        names = [f"{part}{number}.png" for number in range(4)]
        for name in names:
            Image.fromarray(random.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(tmp_path / "images" / name)
        (tmp_path / "lists" / "0" / f"{part}.txt").write_text("".join(f"{n} {i % 2}\n" for i, n in enumerate(names)))
    return tmp_path


def write_facts(folder, **facts):
    content = dict(name="t", classes=["a", "b"], metric="roc_auc") | facts
    (folder / "task.json").write_text(json.dumps(content))


def key(folder, protocol="bn", recipe=None, **changes):
    config = dict(type="list_task", root=str(folder))
    spec = RunSpec(MODEL, config, protocol, Recipe(**(RECIPE | (recipe or {}))), **changes)
    return spec.key(build_task(config))


def episode_key(folder, method="bn", **changes):
    settings = dict(name="r", steps=5, optimizer=dict(type="SGD", lr=0.1))
    task = build_task(dict(type="list_task", root=str(folder)))
    episodes = EpisodeSettings(n_way=2, k_shot=1, queries=1, episodes=2)
    manifest = open_manifest(folder / "episodes.jsonl", task, episodes)
    spec = FewShotSpec(MODEL, method, Recipe(**(settings | changes)), Checkpoint.random())
    return spec.key(task, episode_facts(task, manifest))


def blacken(folder):
    for path in (folder / "images").iterdir():
        Image.new("RGB", (8, 8)).save(path)


@pytest.mark.parametrize("make", [key, episode_key], ids=["run", "episodes"])
def test_all_pictures_replaced_by_black_ones_are_another_run(folder, make):
    before = make(folder)
    assert make(folder) == before
    blacken(folder)
    assert make(folder) != before


@pytest.mark.parametrize("make", [key, episode_key], ids=["run", "episodes"])
def test_another_decoder_is_another_run(folder, make, monkeypatch):
    before = make(folder)
    monkeypatch.setattr(spec_module, "decoding_versions", lambda: {"PIL": "another"})
    assert make(folder) != before
    drawn = dict(type="drawn", family="shapes", train_size=16, val_size=16, test_size=16)
    spec = RunSpec(MODEL, drawn, "bn", Recipe(**RECIPE))
    in_memory = spec.key(build_task(drawn))
    monkeypatch.undo()
    assert spec.key(build_task(drawn)) == in_memory


def test_multi_label_counts(folder):
    before = key(folder)
    write_facts(folder, multi_label=True)
    assert key(folder) != before


def test_what_images_are_normalised_with_counts_where_the_checkpoint_says_it():
    checkpoint = resolve_checkpoint("tiny-simclr")
    changed = dataclasses.replace(checkpoint, normalisation=UNIT)
    assert checkpoint_facts(checkpoint, normalised=True) != checkpoint_facts(changed, normalised=True)
    assert checkpoint_facts(checkpoint, normalised=False) == checkpoint_facts(changed, normalised=False)


@pytest.mark.parametrize("protocol", ["knn", "logme"])
def test_a_score_knows_no_training(folder, protocol):
    assert key(folder, protocol, OTHER) == key(folder, protocol) == key(folder, protocol, dict(probe=PROBE))
    assert key(folder, protocol, dict(fit_on="train")) != key(folder, protocol)


def test_a_probe_knows_no_optimiser(folder):
    probed = key(folder, "linear", dict(probe=PROBE))
    assert key(folder, "linear", OTHER | dict(probe=PROBE)) == probed
    assert key(folder, "linear", dict(probe=PROBE | dict(weight_decays=[1.0]))) != probed
    assert key(folder, "bn", dict(probe=PROBE)) == key(folder, "bn")  # trained all the same


def test_names_of_recipe_task_and_file_do_not_count(folder):
    assert key(folder, "bn", dict(name="s", remark="other words")) == key(folder)
    before = key(folder), episode_key(folder)
    write_facts(folder, name="renamed")
    assert (key(folder), episode_key(folder, name="s")) == before


@pytest.mark.parametrize(
    ("method", "unused", "used"),
    [
        (
            "nearest_mean",
            dict(steps=7, optimizer=dict(type="Adam", lr=1.0), probe=dict(solver="convex", weight_decays=[2.0])),
            {},
        ),
        (
            "logistic",
            dict(steps=7, optimizer=dict(type="Adam", lr=1.0)),
            dict(probe=dict(solver="convex", weight_decays=[2.0])),
        ),
        ("linear", dict(probe=dict(solver="convex", weight_decays=[2.0])), dict(steps=7)),
        ("bn", dict(probe=dict(solver="convex", weight_decays=[2.0])), dict(optimizer=dict(type="SGD", lr=0.2))),
    ],
)
def test_a_few_shot_method_knows_only_its_settings(folder, method, unused, used):
    base = episode_key(folder, method)
    assert episode_key(folder, method, **unused) == base
    if used:
        assert episode_key(folder, method, **used) != base


def test_a_setting_added_later_changes_no_key():
    @dataclass(frozen=True)
    class Before:
        rate: float
        steps: list = field(default_factory=list)

    @dataclass(frozen=True)
    class After(Before):
        added: int = 3

    assert stated(After(0.1)) == stated(Before(0.1)) == {"rate": 0.1}
    assert stated(After(0.1, [1], 4)) == {"rate": 0.1, "steps": [1], "added": 4}


def test_results_of_episodes_are_not_stale():
    result = Result("c", "t", "fewshot-bn-5way-1shot", "r", 0, 0, "a" * 64, "ok", 50.0, "top1",
                    details={"results_version": RESULTS_VERSION})  # fmt: skip
    assert stale_reasons([result], None) == []
