import pytest
import timm.layers
from mmcls.models.backbones.convnext import LayerNorm2d as MmclsLayerNorm2d
from mmcls.models.backbones.hornet import HorNetLayerNorm
from protocol_networks import CASES, build
from torch import nn

from mmbnft.protocols import Phase, apply_phase, find_norm_layers, select_norm_layers
from mmbnft.utils.errors import UserError
from mmbnft.zoo import Architecture
from mmbnft.zoo.network import ResNet

LAYERS = [
    (nn.BatchNorm1d(4), "batch", True, True),
    (nn.BatchNorm2d(4, affine=False), "batch", False, True),
    (nn.BatchNorm2d(4, track_running_stats=False), "batch", True, False),
    (nn.SyncBatchNorm(4), "batch", True, True),
    (timm.layers.BatchNormAct2d(4), "batch", True, True),
    (nn.LayerNorm(4), "layer", True, False),
    (nn.LayerNorm(4, elementwise_affine=False), "layer", False, False),
    (nn.LayerNorm(4, bias=False), "layer", True, False),
    (timm.layers.LayerNorm2d(4), "layer", True, False),
    (MmclsLayerNorm2d(4), "layer", True, False),
    (HorNetLayerNorm(4, data_format="channels_first"), "layer", True, False),
    (nn.GroupNorm(2, 4), "group", True, False),
    (timm.layers.GroupNormAct(4, group_size=2), "group", True, False),
    (nn.InstanceNorm2d(4), "instance", False, False),
    (nn.InstanceNorm2d(4, affine=True, track_running_stats=True), "instance", True, True),
    (nn.RMSNorm(4), "rms", True, False),
    (timm.layers.RmsNorm(4), "rms", True, False),
    (timm.layers.RmsNorm2d(4), "rms", True, False),
]


@pytest.mark.parametrize(("layer", "kind", "has_affine", "has_stats"), LAYERS)
def test_every_kind_is_found_by_type(layer, kind, has_affine, has_stats):
    found = find_norm_layers(nn.ModuleDict({"conv": nn.Conv2d(3, 4, 1), "odd": layer}))
    assert [(norm.name, norm.kind, norm.has_affine, norm.has_stats) for norm in found] == [
        ("odd", kind, has_affine, has_stats)
    ]
    assert found[0].module is layer


def test_names_mean_nothing():
    network = nn.ModuleDict({"bn1": nn.Conv2d(3, 4, 1), "norm": nn.Identity(), "conv": nn.BatchNorm2d(4)})
    assert [norm.name for norm in find_norm_layers(network)] == ["conv"]


def test_only_the_layer_itself_counts_as_affine():
    layer = timm.layers.BatchNormAct2d(4, act_layer=nn.PReLU)
    (found,) = find_norm_layers(nn.Sequential(layer))
    assert found.affine_names == ("0.weight", "0.bias")
    assert found.statistics_names == ("0.running_mean", "0.running_var", "0.num_batches_tracked")
    assert found.values == 8


def test_a_norm_layer_alone_and_a_shared_one():
    layer = nn.BatchNorm2d(4)
    assert find_norm_layers(layer)[0].affine_names == ("weight", "bias")
    assert len(find_norm_layers(nn.Sequential(layer, nn.ReLU(), layer))) == 1


@pytest.mark.parametrize("name", CASES)
def test_all_selects_every_norm_layer(name):
    network = build(name)
    expected = [
        child_name
        for child_name, child in network.named_modules()
        if isinstance(child, nn.BatchNorm2d | nn.LayerNorm | nn.GroupNorm)
    ]
    assert [norm.name for norm in select_norm_layers(network, "all")] == expected
    assert expected


def test_unknown_policy_is_refused():
    with pytest.raises(UserError, match="must be one of all, paper, stem, last, stage:K, got 'bn2'"):
        select_norm_layers(nn.BatchNorm2d(3), "bn2")


def test_a_network_without_norms_has_none():
    assert select_norm_layers(nn.Sequential(nn.Conv2d(3, 4, 1), nn.Dropout()), "all") == []


def test_the_stem_every_stage_and_the_last_layer_can_be_selected_alone():
    network = ResNet(Architecture(depth=18, base_channels=4, stem_channels=4))
    policies = ("stem", "last", "stage:4")
    parts = {policy: [norm.name for norm in select_norm_layers(network, policy)] for policy in policies}
    assert parts["stem"] == ["bn1"]
    assert parts["last"] == ["layer4.1.bn2"]
    assert parts["stage:4"] == [
        "layer4.0.bn1", "layer4.0.bn2", "layer4.0.downsample.1", "layer4.1.bn1", "layer4.1.bn2"
    ]  # fmt: skip
    stages = [norm.name for k in range(1, 5) for norm in select_norm_layers(network, f"stage:{k}")]
    assert [*parts["stem"], *stages] == [norm.name for norm in find_norm_layers(network)]
    with pytest.raises(UserError, match="has no stage 5"):
        select_norm_layers(network, "stage:5")


def test_a_phase_may_train_the_norms_of_one_stage_only():
    network = ResNet(Architecture(depth=18, base_channels=4, stem_channels=4))
    applied = apply_phase(network, Phase("norm", norm_layers="stage:3", norm_stats="batch"))
    moving = (*applied.trainable_names, *applied.statistics_names)
    assert moving
    assert all(name.startswith("layer3.") for name in moving)
    network.train()
    applied.restore_modes()
    assert not network.layer4[0].bn1.training
    assert network.layer3[0].bn1.training
