"""The shipped checkpoints are what the shipped configurations say."""

import json
from pathlib import Path

import pytest
import torch

from mmbnft.pretraining.recipes import read_recipe
from mmbnft.pretraining.small_files import SIZE_LIMIT, backbone_of
from mmbnft.utils.files import sha256_file

FOLDER = Path("pretrained_models")
NAMES = sorted(path.stem for path in Path("configs/pretrain").glob("*.py"))
# Those after a few epochs of the same recipes, as named bad examples.
EARLY = ["rotation", "simclr", "swav"]
CATALOGUE = [
    (group, entry)
    for group in ("tiny", "tiny-early")
    for entry in json.loads((FOLDER / group / "catalogue.json").read_text())
]
each = pytest.mark.parametrize(("group", "entry"), CATALOGUE, ids=[entry["id"] for _, entry in CATALOGUE])


@pytest.mark.parametrize(("group", "names"), [("tiny", NAMES), ("tiny-early", EARLY)])
def test_the_catalogue_lists_every_configuration_and_every_file(group, names):
    entries = [entry for owner, entry in CATALOGUE if owner == group]
    assert [entry["id"] for entry in entries] == [f"{group}-{name}" for name in names]
    assert sorted(entry["file"] for entry in entries) == sorted(path.name for path in (FOLDER / group).glob("*.pth"))


@each
def test_file_record_and_configuration_agree(group, entry):
    record = json.loads((FOLDER / group / entry["record"]).read_text())
    path = FOLDER / group / entry["file"]
    name = entry["id"].removeprefix(f"{group}-")
    recipe = read_recipe(f"configs/pretrain/{name}.py", entry["epochs"] if group == "tiny-early" else None, group)
    assert sha256_file(path) == entry["sha256"] == record["sha256"]
    assert path.stat().st_size == record["bytes"] < SIZE_LIMIT
    assert record["config"] == recipe.config
    assert record["config_sha256"] == recipe.sha256
    assert len(record["losses"]) == recipe.epochs == entry["epochs"]
    assert record["quality"]


@each
def test_the_backbone_loads_strictly_and_tells_pictures_apart(group, entry):
    meta, backbone = backbone_of(FOLDER / group / entry["file"])
    assert meta["method"] == entry["method"]
    assert sum(p.numel() for p in backbone.parameters()) == 702_096
    state = backbone.state_dict()
    assert all(torch.isfinite(tensor).all() for tensor in state.values())
    assert all((tensor >= 0).all() for name, tensor in state.items() if name.endswith("running_var"))
    with torch.no_grad():
        features = backbone(torch.randn(8, 3, 48, 48, generator=torch.Generator().manual_seed(0)))[0].flatten(1)
    assert features.std(dim=0).max() > 1e-3
