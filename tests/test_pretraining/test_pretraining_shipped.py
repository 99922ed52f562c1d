"""The shipped checkpoints are what the shipped configurations say."""

import json
from pathlib import Path

import pytest
import torch

from mmbnft.pretraining.recipes import read_recipe
from mmbnft.pretraining.small_files import SIZE_LIMIT, backbone_of
from mmbnft.utils.files import sha256_file

FOLDER = Path("pretrained_models/tiny")
CATALOGUE = json.loads((FOLDER / "catalogue.json").read_text())
NAMES = sorted(path.stem for path in Path("configs/pretrain").glob("*.py"))


def test_the_catalogue_lists_every_configuration_and_every_file():
    assert [entry["id"] for entry in CATALOGUE] == [f"tiny-{name}" for name in NAMES]
    assert sorted(entry["file"] for entry in CATALOGUE) == sorted(path.name for path in FOLDER.glob("*.pth"))


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry["id"])
def test_file_record_and_configuration_agree(entry):
    record = json.loads((FOLDER / entry["record"]).read_text())
    path = FOLDER / entry["file"]
    recipe = read_recipe(f"configs/pretrain/{entry['id'].removeprefix('tiny-')}.py")
    assert sha256_file(path) == entry["sha256"] == record["sha256"]
    assert path.stat().st_size == record["bytes"] < SIZE_LIMIT
    assert record["config"] == recipe.config
    assert record["config_sha256"] == recipe.sha256
    assert len(record["losses"]) == recipe.epochs == entry["epochs"]
    assert record["quality"]


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry["id"])
def test_the_backbone_loads_strictly_and_tells_pictures_apart(entry):
    meta, backbone = backbone_of(FOLDER / entry["file"])
    assert meta["method"] == entry["method"]
    assert sum(p.numel() for p in backbone.parameters()) == 702_096
    state = backbone.state_dict()
    assert all(torch.isfinite(tensor).all() for tensor in state.values())
    assert all((tensor >= 0).all() for name, tensor in state.items() if name.endswith("running_var"))
    with torch.no_grad():
        features = backbone(torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(0)))[0].flatten(1)
    assert features.std(dim=0).max() > 1e-3
