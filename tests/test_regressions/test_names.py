"""Results found by key go by the names that the plan has now."""

import os
from pathlib import Path

import pytest
import torch

from mmbnft.evaluation.run_spec import RANDOM
from mmbnft.grid.filters import Part
from mmbnft.grid.grid import open_jobs
from mmbnft.grid.plan import Benchmark, plan_runs
from mmbnft.grid.store import ResultStore
from mmbnft.recipes.recipe import Recipe
from mmbnft.results import Result

MODEL = dict(type="Classification", backbone=dict(type="ResNet", depth=18), head=dict(type="BnftLinearHead"))
TASK = dict(type="drawn", family="shapes", train_size=16, val_size=16, test_size=16)
RECIPE = Recipe("r", epochs=1, batch_size=8, optimizer=dict(type="SGD", lr=0.1))


@pytest.fixture
def weights(tmp_path):
    paths = []
    for number in (1.0, 2.0):
        path = tmp_path / f"model{number:.0f}.pth"
        meta = {"normalisation": {"mean": [0.5] * 3, "std": [0.5] * 3}}
        torch.save({"state_dict": {"conv1.weight": torch.full((1,), number)}, "meta": meta}, path)
        os.utime(path, ns=(10**9,) * 2)  # of one size and time, as copies made by some tools
        paths.append(path)
    return paths


def benchmark(*paths, recipe=RECIPE):
    return Benchmark("b", MODEL, recipe, (*map(str, paths), RANDOM), (TASK,), ("linear",), target=None)


def fill(store, plan):
    """Results whose value is that of the weights they belong to."""
    for run in plan:
        is_random = run.checkpoint == RANDOM
        value = 0.0 if is_random else torch.load(run.spec.checkpoint.path)["state_dict"]["conv1.weight"].item()
        result = Result(key=run.key, split=0, seed=0, status="ok", value=value, metric="top1", **run.names)
        store.write(result)


def shown(results):
    return {result.checkpoint: result.value for result in results}


def test_swapped_weight_files_take_their_results_along(weights, tmp_path):
    store = ResultStore(tmp_path / "results")
    fill(store, plan_runs(benchmark(*weights)))
    assert shown(store.results()) == {"model1": 1.0, "model2": 2.0, RANDOM: 0.0}
    aside = weights[0].rename(tmp_path / "aside")
    weights[1].rename(weights[0])
    aside.rename(weights[1])
    plan = open_jobs(plan_runs(benchmark(*weights)), store, Part())
    assert not plan.left
    names = {job.key: job.names for job in plan.jobs}
    assert shown(store.select(names)) == {"model1": 2.0, "model2": 1.0, RANDOM: 0.0}
    assert store.adopt(names) == 2
    assert shown(ResultStore(tmp_path / "results").results()) == {"model1": 2.0, "model2": 1.0, RANDOM: 0.0}
    assert store.adopt(names) == 0
    assert len(list((tmp_path / "results").glob("*.json"))) == 3


def test_a_renamed_file_and_recipe_too(weights, tmp_path):
    store = ResultStore(tmp_path / "results")
    fill(store, plan_runs(benchmark(*weights)))
    renamed = weights[0].rename(tmp_path / "better.pth")
    again = benchmark(renamed, weights[1], recipe=RECIPE.changed(dict(name="s")))
    names = {run.key: run.names for run in plan_runs(again)}
    results = store.select(names)
    assert shown(results) == {"better": 1.0, "model2": 2.0, RANDOM: 0.0}
    assert {(result.task, result.recipe) for result in results} == {("shapes", "s")}
    assert store.adopt(names) == 3
    assert all("__shapes__linear__s__" in path.name for path in Path(tmp_path / "results").glob("*.json"))
