"""One table over networks of three families."""

import json

import pytest
import torch

from mmbnft.grid.job import Execution
from mmbnft.grid.plan import Benchmark, plan_runs
from mmbnft.models.building import build_backbone
from mmbnft.models.configuration import CLASSIFICATION
from mmbnft.ranking.ranking_report import rank_results
from mmbnft.recipes.recipe import Recipe
from mmbnft.zoo import IMAGENET

TASK = dict(type="drawn", family="shapes", train_size=24, val_size=12, test_size=24)
NETWORKS = dict(lite="tf_efficientnet_lite0", vit="vit_tiny_patch16_224")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A ResNet-18, an EfficientNet-Lite0 and a small vision transformer under a score and a protocol."""
    folder = tmp_path_factory.mktemp("networks")
    checkpoints = ["tiny-simclr"]
    for name, network in NETWORKS.items():
        torch.manual_seed(0)
        backbone = build_backbone(dict(type="TIMMBackbone", model_name=network))
        path = folder / f"{name}.pth"
        # As timm's training script writes it: the network's name is in the file.
        meta = {"normalisation": IMAGENET.to_dict()}
        torch.save({"arch": network, "epoch": 1, "meta": meta, "state_dict": backbone.state_dict()}, path)
        checkpoints.append(str(path))
    recipe = Recipe("test", epochs=1, batch_size=24, optimizer=dict(type="SGD", lr=0.01, momentum=0.9))
    benchmark = Benchmark("networks", CLASSIFICATION, recipe, tuple(checkpoints), (TASK,), ("knn", "bn"), target="bn")
    how = Execution(folder, torch.device("cpu"))
    return [run.execute(how) for run in plan_runs(benchmark)]


def test_every_network_runs_and_says_what_it_is(results):
    facts = {result.checkpoint: result.details["network"] for result in results}
    assert len(results) == 6
    assert {name: fact["name"] for name, fact in facts.items()} == {
        "tiny-simclr": "ResNet-18 (base_channels=16, stem_channels=16)",
        "lite": "timm:tf_efficientnet_lite0",
        "vit": "timm:vit_tiny_patch16_224",
    }
    assert facts["vit"]["norms"] == {"layer": 25}
    assert set(facts["lite"]["norms"]) == set(facts["tiny-simclr"]["norms"]) == {"batch"}
    # Parameters without classifier as timm's own tables have them; multiply-adds are those of 32-pixel images.
    assert facts["vit"]["parameters"] == 5_524_416
    assert facts["lite"]["parameters"] == 3_371_008
    assert facts["lite"]["multiply_adds"] < facts["vit"]["multiply_adds"] < 50_000_000


def test_the_report_shows_networks_and_orders_by_their_size(results, tmp_path):
    report = rank_results(results, "bn", tmp_path, resamples=100)
    rows = {row["checkpoint"]: row for row in json.loads((tmp_path / "report.json").read_text())["networks"]}
    assert rows["vit"]["network"] == "timm:vit_tiny_patch16_224"
    assert rows["vit"]["norm_layers"] == "25 LayerNorm"
    assert rows["lite"]["parameters"] == 3_371_008
    assert rows["vit"]["multiply_adds"] > rows["lite"]["multiply_adds"] > 0
    assert {"control: number of parameters", "control: multiply-adds"} <= set(report.study.controls)
    assert (
        "Norm tuning instead of BN tuning (bn) for vit (LayerNorm): without batch norm"
        in (tmp_path / "report.md").read_text()
    )
