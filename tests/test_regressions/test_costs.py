"""What a run cost must not depend on which run came first, on others, or on the process's past."""

import time

import numpy as np
import pytest
import torch

from mmbnft.evaluation.cost import Stopwatch, forward_multiply_adds
from mmbnft.evaluation.run import RunOptions, execute
from mmbnft.evaluation.run_spec import RunSpec
from mmbnft.results import results_table
from mmbnft.utils.disk_cache import DiskCache
from mmbnft.utils.memory import forget_peak_memory, peak_memory

TINY = dict(type="ResNet", depth=18, base_channels=4, stem_channels=4, out_indices=[4], norm_cfg=dict(type="BN"))
MODEL = dict(type="Classification", backbone=TINY, head=dict(type="BnftLinearHead"))
TASK = dict(type="drawn", family="shapes", train_size=64, val_size=32, test_size=45)
CPU = torch.device("cpu")


def test_shared_features_cost_every_run_the_same(make_recipe, tmp_path):
    options = RunOptions(tmp_path, save_state=False, cache=tmp_path / "cache")
    first, second, third = (
        execute(RunSpec(MODEL, TASK, name, make_recipe()), options) for name in ("knn", "nearest_class_mean", "knn")
    )
    assert first.cost["shared_seconds"] > 0
    assert first.cost["shared_seconds"] == second.cost["shared_seconds"] == third.cost["shared_seconds"]
    assert all(result.cost["seconds"] > result.cost["shared_seconds"] for result in (first, second, third))
    assert first.cost["multiply_adds"] == second.cost["multiply_adds"] > 0
    assert (first.scale, first.metric, first.evaluated_on) == ("score", "knn", "trainval")
    assert set(results_table([first])["scale"]) == {"score"}


def test_waiting_and_making_are_left_out_and_what_making_took_is_added(tmp_path):
    def make():
        time.sleep(0.2)
        return np.ones((2, 2))

    maker, finder = DiskCache(tmp_path, 10**6), DiskCache(tmp_path, 10**6)
    watches = [Stopwatch(CPU, [cache]) for cache in (maker, finder)]
    for cache in (maker, finder):
        cache.array("ab", make)
    shared = [watch.shared_seconds for watch in watches]
    assert shared[0] == shared[1] >= 0.2
    assert all(watch.seconds < 2 * 0.2 + 0.15 for watch in watches)  # neither pays twice
    assert watches[1].own_seconds < 0.3 + watches[0].own_seconds


def test_full_training_costs_more_multiply_adds_than_tuning_norms_and_those_more_than_a_head(make_recipe, tmp_path):
    options = RunOptions(tmp_path, save_state=False)
    costs = {
        name: execute(RunSpec(MODEL, TASK, name, make_recipe(epochs=1)), options).cost
        for name in ("linear", "bn_frozen_stats", "finetune")
    }
    assert costs["linear"]["images"] == costs["finetune"]["images"] == 96
    adds = {name: cost["multiply_adds"] for name, cost in costs.items()}
    assert adds["linear"] < adds["bn_frozen_stats"] < adds["finetune"] < 4 * adds["linear"]
    assert costs["linear"]["threads"] == torch.get_num_threads()


def test_multiply_adds_are_those_of_the_layers():
    layer = torch.nn.Conv2d(3, 5, 3, padding=1)
    assert forward_multiply_adds(layer, torch.zeros(3, 8, 8)) == 8 * 8 * 5 * 3 * 9


def test_peak_memory_is_that_of_the_run():
    big = np.ones(60_000_000)
    del big
    if not forget_peak_memory():
        pytest.skip("this system keeps no record that can be begun anew")
    before = peak_memory()
    held = np.ones(20_000_000)
    assert 100e6 < peak_memory() - before < 400e6
    assert held.size


def test_cost_says_whether_the_peak_is_a_bound():
    cost = Stopwatch(CPU).cost(3)
    assert cost["images"] == 3
    assert cost["peak_memory_is_bound"] == (not forget_peak_memory())
