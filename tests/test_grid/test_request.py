"""Benchmarks that the command line describes without a configuration file."""

import pytest
import torch

from mmbnft.evaluation.run_spec import load_config
from mmbnft.grid.plan import plan_runs
from mmbnft.grid.request import benchmark_of, common_architecture, model_config
from mmbnft.utils.errors import UserError
from mmbnft.zoo import Architecture, ResNet

ALL = dict(task=["data/mine"], checkpoints=["tiny-simclr", "random"], protocols=["linear", "finetune"])


@pytest.mark.parametrize(
    ("architecture", "base"), [(Architecture(), "resnet50"), (Architecture("ResNet", 18, 16, 16), "tiny18")]
)
def test_the_network_is_that_of_the_shipped_configurations(architecture, base):
    shipped = load_config(f"configs/_base_/models/{base}.py")
    assert model_config(architecture) == shipped.model.to_dict()


def test_the_network_follows_from_the_checkpoints(tmp_path):
    own = tmp_path / "own.pth"
    torch.save(ResNet(Architecture("ResNet", 18, 8, 8)).state_dict(), own)
    assert common_architecture(["random"]) == Architecture()
    assert common_architecture(["tiny-simclr", "random", "tiny-byol"]) == Architecture("ResNet", 18, 16, 16)
    assert common_architecture([str(own)]) == Architecture("ResNet", 18, 8, 8)


def test_checkpoints_of_different_networks_are_refused(tmp_path):
    own = tmp_path / "own.pth"
    torch.save(ResNet(Architecture("ResNet", 18, 8, 8)).state_dict(), own)
    with pytest.raises(
        UserError, match=r"belong to different networks \(tiny-simclr is a ResNet-18 \(base_channels=16"
    ):
        benchmark_of(**(ALL | dict(checkpoints=["tiny-simclr", str(own)])))


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
