"""Benchmarks that the command line describes without a configuration file."""

import pytest
import torch

from mmbnft.evaluation.run_spec import load_config
from mmbnft.grid.plan import Benchmark, plan_runs
from mmbnft.grid.request import benchmark_of
from mmbnft.models.configuration import CLASSIFICATION, backbone_config
from mmbnft.utils.errors import UserError
from mmbnft.zoo import IMAGENET, Architecture, ResNet
from mmbnft.zoo.architecture import LibraryNetwork
from mmbnft.zoo.library import build_library_network

ALL = dict(task=["data/mine"], checkpoints=["tiny-simclr", "random"], protocols=["linear", "finetune"])


@pytest.mark.parametrize(
    ("architecture", "base"), [(Architecture(), "resnet50"), (Architecture("ResNet", 18, 16, 16), "tiny18")]
)
def test_the_network_is_that_of_the_shipped_configurations(architecture, base):
    shipped = load_config(f"configs/_base_/models/{base}.py")
    assert dict(CLASSIFICATION, backbone=backbone_config(architecture)) == shipped.model.to_dict()


def own_file(folder, network):
    path = folder / "own.pth"
    torch.save({"meta": {"normalisation": IMAGENET.to_dict()}, "state_dict": network.state_dict()}, path)
    return str(path)


def test_each_checkpoint_has_the_network_found_in_it(tmp_path):
    own = own_file(tmp_path, ResNet(Architecture("ResNet", 18, 8, 8)))
    plan = plan_runs(benchmark_of(**ALL | dict(task=["digits"], checkpoints=["tiny-simclr", "random", own])))
    backbones = {run.checkpoint: run.spec.model["backbone"] for run in plan}
    tiny, wide = (backbone_config(Architecture("ResNet", 18, width, width)) for width in (16, 8))
    assert backbones == {
        "tiny-simclr": tiny,
        "own": wide,
        # The control is run once for each network, under a name of its own.
        "random ResNet-18 (base_channels=16, stem_channels=16)": tiny,
        "random ResNet-18 (base_channels=8, stem_channels=8)": wide,
    }
    assert len({run.key for run in plan}) == len(plan) == 8


def test_a_network_that_nothing_tells_is_refused_with_the_option_that_states_it(tmp_path):
    own = own_file(tmp_path, build_library_network(LibraryNetwork("timm", "tf_efficientnet_lite0")))
    grid = ALL | dict(task=["digits"], checkpoints=[own])
    with pytest.raises(UserError, match="fits timm:efficientnet_lite0 and timm:tf_.*; say which with --network"):
        plan_runs(benchmark_of(**grid))
    unknown = dict(grid, checkpoints=[own_file(tmp_path, torch.nn.Sequential(torch.nn.Linear(3, 4)))])
    with pytest.raises(UserError, match=r"the network of own .* is unknown; state it with --network timm:NAME"):
        plan_runs(benchmark_of(**unknown))
    own_file(tmp_path, build_library_network(LibraryNetwork("timm", "tf_efficientnet_lite0")))
    (run, _) = plan_runs(benchmark_of(**grid, stated=dict(network="timm:tf_efficientnet_lite0")))
    assert run.spec.model["backbone"] == dict(type="TIMMBackbone", model_name="tf_efficientnet_lite0")


def test_a_configured_backbone_gives_way_to_another_network_only(tmp_path):
    config = load_config("configs/benchmarks/own.py")
    own = own_file(tmp_path, ResNet(Architecture("ResNet", 18, 8, 8)))
    config.benchmark = dict(
        name="own", checkpoints=["random", own], tasks=["digits"], protocols=["linear"], target=None
    )
    config.model.backbone.update(depth=18, base_channels=8, stem_channels=8, zero_init=True)
    assert all(run.spec.model["backbone"]["zero_init"] for run in plan_runs(Benchmark.from_config(config)))
    config.model.backbone.depth = 50
    backbones = [run.spec.model["backbone"] for run in plan_runs(Benchmark.from_config(config))]
    assert all(backbone == backbone_config(Architecture("ResNet", 18, 8, 8)) for backbone in backbones)


def test_what_is_asked_for_becomes_a_benchmark():
    found = benchmark_of(**ALL, overrides={"recipe.epochs": 2})
    assert (found.name, found.target, found.checkpoints) == ("mine", "finetune", ("tiny-simclr", "random"))
    assert found.tasks == (dict(type="list_task", root="data/mine"),)
    assert found.recipe == dict(named="clean", epochs=2)
    group = benchmark_of(**(ALL | dict(checkpoints=["group:tiny"])))
    assert len(group.checkpoints) == 12


def test_tasks_are_folders_array_files_or_registered_types(tmp_path):
    found = benchmark_of(**(ALL | dict(task=["digits", "data/mine", str(tmp_path / "own.npz")])))
    assert found.tasks == (
        dict(type="digits"),
        dict(type="list_task", root="data/mine"),
        dict(type="array_task", path=str(tmp_path / "own.npz")),
    )
    assert found.name == "digits-mine-own"


def test_without_the_target_among_the_protocols_there_is_none_unless_it_was_named():
    assert benchmark_of(**(ALL | dict(protocols=["linear", "bn"]))).target is None
    assert benchmark_of(**(ALL | dict(protocols=["linear", "bn"])), target="bn").target == "bn"
    with pytest.raises(UserError, match="the target 'finetune' must be one of the protocols: bn, linear"):
        benchmark_of(**(ALL | dict(protocols=["linear", "bn"])), target="finetune")


@pytest.mark.parametrize("name", list(ALL))
def test_what_is_missing_is_named(name):
    with pytest.raises(UserError, match=f"--{name} is missing; give a configuration file, or all of"):
        benchmark_of(**(ALL | {name: []}))


def test_an_unknown_recipe_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(UserError, match="unknown recipe 'cleen'; allowed: cdfsl, clean"):
        plan_runs(benchmark_of(**ALL | dict(task=[_prepared(tmp_path)]), recipe="cleen"))


def _prepared(folder):
    from test_shipped_configs import prepare

    prepare(folder / "mine", "mine", splits=1)
    return str(folder / "mine")
