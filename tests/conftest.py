"""What every test shares: one import of the stack, one thread, no tracking on the network."""

import os

os.environ.setdefault("WANDB_MODE", "offline")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch

import mmbnft.plugin  # noqa: F401  (makes the host packages importable)
from mmbnft.recipes.recipe import Recipe
from mmbnft.results import Result
from mmbnft.tasks import build_task
from mmbnft.utils.files import sha256_json

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shapes():
    """A small drawn task: 8 classes, 32 px."""
    return build_task(dict(type="drawn", family="shapes", train_size=64, val_size=32, test_size=45))


@pytest.fixture
def make_recipe():
    def make(**changes):
        values = dict(name="test", epochs=2, batch_size=16, optimizer=dict(type="SGD", lr=0.05, momentum=0.9))
        return Recipe(**(values | changes))

    return make


@pytest.fixture
def make_result():
    """A result that nothing computed; its key follows from its coordinates."""

    def make(checkpoint, value=50.0, task="t", protocol="linear", key=None, **changes):
        settings = dict(recipe="r", split=0, seed=0, metric="top1", status="ok", cost=dict(seconds=2.0))
        if value is None:
            settings |= dict(status="failed", reason="it broke", kind="bug", cost={})
        key = key or sha256_json([checkpoint, task, protocol])
        return Result(checkpoint, task, protocol, key=key, value=value, **(settings | changes))

    return make
