import pytest
import timm
import torch
import torchvision
from mmcls.models import BACKBONES
from protocol_networks import CASES, build
from torch import nn

from mmbnft.protocols import Phase, apply_phase, find_stages
from mmbnft.utils.errors import UserError


@pytest.mark.parametrize("name", CASES)
def test_the_last_stage_is_what_a_person_reads(name):
    network, case = build(name), CASES[name]
    stages = find_stages(network)
    assert stages.count == case.stages
    last = [n for n, _ in network.named_parameters() if stages.stage_of(n) == case.stages]
    assert last == [n for n, _ in network.named_parameters() if n.startswith(case.last_stage)]
    assert {stages.stage_of(n) for n, _ in network.named_parameters()} == set(range(case.stages + 1))


def _stage_table(network):
    stages = find_stages(network)
    return stages.count, {name: stages.stage_of(name) for name, _ in network.named_parameters()}


def test_downsampling_belongs_to_the_stage_it_feeds():
    _, convnext = _stage_table(build("convnext"))
    assert convnext["downsample_layers.0.0.weight"] == 0
    assert convnext["downsample_layers.1.0.weight"] == convnext["stages.1.0.norm.weight"] == 2
    _, densenet = _stage_table(build("densenet"))
    assert densenet["stages.0.block.0.conv1.weight"] == 1
    assert densenet["transitions.0.conv.weight"] == densenet["stages.1.block.0.conv1.weight"] == 2
    _, torchvision_convnext = _stage_table(torchvision.models.convnext_tiny())
    assert torchvision_convnext["features.2.1.weight"] == torchvision_convnext["features.3.0.block.0.weight"] == 2


def test_blocks_of_a_transformer_are_cut_into_quarters():
    count, table = _stage_table(build("vit"))
    blocks = [table[f"layers.{index}.ln1.weight"] for index in range(5)]
    assert (count, blocks) == (4, [1, 1, 2, 3, 4])
    assert table["cls_token"] == table["pos_embed"] == table["patch_embed.projection.weight"] == 0
    assert table["ln1.weight"] == 4


# Network, number of stages, a parameter of the last stage.
GROUPED = [
    ("resnet18", 4, "layer4.1.conv2.weight"),
    ("regnetx_002", 4, "s4.b1.conv1.conv.weight"),
    ("convnext_atto", 4, "stages.3.downsample.1.weight"),
    ("efficientnet_b0", 7, "bn2.weight"),
    ("densenet121", 4, "features.transition3.norm.weight"),
    ("swin_tiny_patch4_window7_224", 4, "norm.weight"),
]


@pytest.mark.parametrize(("name", "count", "last"), GROUPED)
def test_timm_networks(name, count, last):
    found, table = _stage_table(timm.create_model(name, num_classes=0))
    assert found == count
    assert table[last] == count


class Wrapper(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner


def test_a_wrapper_is_looked_through_and_follows_the_mode():
    network = Wrapper(build("vit"))
    _, table = _stage_table(network)
    assert table["inner.layers.4.ln1.weight"] == 4
    assert table["inner.cls_token"] == 0
    network.train()
    apply_phase(network, Phase("stage:4"))
    assert network.inner.training
    assert network.inner.layers.training
    assert not network.inner.drop_after_pos.training
    assert not network.inner.layers[3].training
    assert network.inner.layers[4].ffn.training


def test_a_stage_too_many_is_refused_with_the_number_found():
    with pytest.raises(UserError, match="ResNet has no stage 5: it has 4 stages; choose stage:K with K from 1 to 4"):
        apply_phase(build("resnet18"), Phase("stage:5"))


@pytest.mark.parametrize("model", ["vgg11_bn", "squeezenet1_0"])
def test_networks_of_another_layout_are_refused(model):
    with torch.device("meta"):
        network = getattr(torchvision.models, model)()
    with pytest.raises(UserError, match=r"cannot divide \w+ into stages; known are .*choose train head, norm or all"):
        find_stages(network)


def test_an_unknown_list_beside_the_stages_is_refused():
    network = BACKBONES.build({"type": "PCPVT", "arch": "small"})
    with pytest.raises(UserError, match="its list patch_embeds runs beside its stages in an unknown way"):
        find_stages(network)


def test_a_bare_module_is_refused():
    with pytest.raises(UserError, match="cannot divide Linear into stages"):
        find_stages(nn.Linear(2, 2))
    with pytest.raises(UserError, match="cannot divide Sequential into stages"):
        find_stages(nn.Sequential(nn.Sequential(nn.Sequential())))
