import numpy as np
import pytest
import torch

from mmbnft.fewshot import EpisodeSettings, FewShotSpec, open_manifest, prepare_subject
from mmbnft.recipes.recipe import Recipe
from mmbnft.zoo import resolve_checkpoint

TINY = dict(type="ResNet", depth=18, base_channels=4, stem_channels=4, out_indices=[4], norm_cfg=dict(type="BN"))
MODEL = dict(type="Classification", backbone=TINY, head=dict(type="BnftLinearHead"))
RECIPE = dict(
    name="test",
    steps=3,
    optimizer=dict(type="SGD", lr=0.1, momentum=0.9),
    search=dict(lr=[0.01, 0.1]),
    probe=dict(solver="convex", weight_decays=[0.1, 1.0]),
)


@pytest.fixture
def recipe():
    return Recipe(**RECIPE)


@pytest.fixture
def make_spec(recipe):
    def make(method="bn", recipe=recipe, checkpoint="random"):
        return FewShotSpec(MODEL, method, recipe, resolve_checkpoint(checkpoint))

    return make


@pytest.fixture
def manifest(tmp_path, shapes):
    settings = EpisodeSettings(n_way=3, k_shot=2, queries=3, episodes=5, validation=2)
    return open_manifest(tmp_path / "episodes.jsonl", shapes, settings)


@pytest.fixture
def subject(make_spec, shapes, manifest, tmp_path):
    prepared = prepare_subject(make_spec(), shapes, manifest, torch.device("cpu"))
    # Statistics unlike those of a fresh network, so that it matters which ones are used.
    for module in prepared.backbone.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return prepared


@pytest.fixture
def random():
    return np.random.default_rng(0)
