"""Runs of a grid load data in their own process whatever the recipe; a worker used to start processes and could not."""

import pytest
import torch

from mmbnft.evaluation import run
from mmbnft.grid import plan
from mmbnft.grid.job import Execution
from mmbnft.recipes import NAMED, named_recipe


@pytest.mark.parametrize("name", NAMED)
def test_no_named_recipe_says_in_how_many_processes_data_are_loaded(name):
    for protocol in ("linear", "finetune", "knn"):
        assert not hasattr(named_recipe(name, "mine", protocol), "workers")


def test_a_grid_worker_loads_in_its_own_process(monkeypatch, tmp_path):
    seen = []
    monkeypatch.setattr(plan, "execute", lambda spec, options, task, **_: seen.append(options))
    monkeypatch.setattr(plan, "warm_task", lambda *_: None)
    spec = type("Spec", (), {"task": {}, "split": 0})
    for how in ({}, {"loaders": 3}):
        plan.PlannedRun.execute(
            type("Run", (), {"spec": spec, "on_val": False, "search": ()}),
            Execution(tmp_path, torch.device("cpu"), **how),
        )
    assert [options.workers for options in seen] == [0, 3]


def test_one_run_by_itself_asks_the_size_of_the_data(monkeypatch, tmp_path):
    asked = []

    def answer(images):
        asked.append(len(images))
        raise InterruptedError

    monkeypatch.setattr(run, "loading_workers", answer)
    model = dict(type="Classification", backbone=dict(type="ResNet", depth=18), head=dict(type="BnftLinearHead"))
    task = dict(type="drawn", family="shapes", train_size=16, val_size=16, test_size=16)
    spec = run.RunSpec(model, task, "bn", named_recipe("clean", "shapes", "bn"))
    with pytest.raises(InterruptedError):
        run.execute(spec, run.RunOptions(tmp_path, workers=None))
    assert asked == [16]
