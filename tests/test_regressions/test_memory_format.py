"""Networks on which torch's channels-last backward pass ends the process are computed in the plain layout."""

import subprocess
import sys

import pytest
import torch
from mmselfsup.models.builder import build_backbone
from torch import nn

from mmbnft.evaluation.loaded_network import built
from mmbnft.utils.errors import UserError
from mmbnft.utils.memory_format import memory_format

CPU = torch.device("cpu")
NARROW = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 8, 1, stride=2))
GROUPED = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.GroupNorm(2, 8))


@pytest.mark.parametrize("network", [NARROW, GROUPED], ids=["narrow shortcut", "group norm"])
def test_faulty_layouts_are_avoided_on_a_cpu(network):
    assert memory_format(network, CPU) is torch.contiguous_format
    assert memory_format(network, torch.device("cuda")) is torch.channels_last


def test_ordinary_networks_keep_the_fast_layout():
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 16, 1, stride=2))
    assert memory_format(network, CPU) is torch.channels_last


@pytest.mark.parametrize("norm", ["BN", "GN"])
def test_a_narrow_network_trains_by_bn_without_ending_the_process(norm, tmp_path):
    """In a process of its own, since the fault is a crash; 0.1.0 died here of a signal."""
    code = f"""
import torch, sys
from pathlib import Path
from mmbnft.evaluation.run import RunOptions, execute
from mmbnft.evaluation.run_spec import RunSpec
from mmbnft.recipes.recipe import Recipe
norm = dict(type={norm!r}, **(dict(num_groups=2) if {norm!r} == "GN" else {{}}))
model = dict(type="Classification", backbone=dict(type="ResNet", depth=18, base_channels=4, stem_channels=4,
             out_indices=[4], norm_cfg=norm), head=dict(type="BnftLinearHead"))
task = dict(type="drawn", family="shapes", train_size=64, val_size=32, test_size=32)
recipe = Recipe("r", epochs=3, batch_size=16, optimizer=dict(type="SGD", lr=0.05))
for protocol in ("bn", "finetune"):
    result = execute(RunSpec(model, task, protocol, recipe), RunOptions(Path({str(tmp_path)!r})))
    assert result.status == "ok"
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize(
    ("norm", "sentence"),
    [
        (dict(type="GN"), "norm_cfg of type GN needs num_groups"),
        (dict(type="GN", num_groups=3), "num_channels .* must be divisible by num_groups"),
    ],
)
def test_groups_that_do_not_fit_are_one_sentence(norm, sentence):
    with pytest.raises(UserError, match=sentence):
        built(build_backbone, dict(type="ResNet", depth=18, base_channels=8, stem_channels=8, norm_cfg=norm))
