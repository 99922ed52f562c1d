import pytest
import timm
import torch
import torchvision
from mmselfsup.models import BACKBONES
from protocol_networks import CASES, build
from torch import nn

from mmbnft.protocols import Phase, apply_phase, select_norm_layers
from mmbnft.utils.errors import UserError

# Worked out by hand from the block counts (b1..b4) and widths (w = 64, 128, 256, 512). Two values per channel.
# Bottleneck: a block has norms of w, w and 4w channels, a shortcut per stage 4w. Paper: 64 + sum b (w + 4w);
# all: 64 + sum b (w + w + 4w) + sum 4w. Basic: two norms of w, shortcuts of 128, 256, 512.
# Depth: paper layers, paper values, all layers, all values.
BY_HAND = {
    18: (1 + 8, 2 * (64 + 2 * 960), 1 + 16 + 3, 2 * (64 + 4 * 960 + 896)),
    34: (1 + 16, 2 * (64 + 3776), 1 + 32 + 3, 2 * (64 + 2 * 3776 + 896)),
    50: (1 + 32, 2 * (64 + 5 * 3776), 1 + 48 + 4, 2 * (64 + 6 * 3776 + 3840)),
    101: (1 + 66, 2 * (64 + 5 * 8128), 1 + 99 + 4, 2 * (64 + 6 * 8128 + 3840)),
    152: (1 + 100, 2 * (64 + 5 * 11968), 1 + 150 + 4, 2 * (64 + 6 * 11968 + 3840)),
}


def _mmselfsup_resnet(depth):
    with torch.device("meta"):
        return BACKBONES.build({"type": "ResNet", "depth": depth})


def _torchvision_resnet(depth):
    with torch.device("meta"):
        return getattr(torchvision.models, f"resnet{depth}")()


def _timm_resnet(depth):
    with torch.device("meta"):
        return timm.create_model(f"resnet{depth}", num_classes=0)


@pytest.mark.parametrize("build_resnet", [_mmselfsup_resnet, _torchvision_resnet, _timm_resnet])
@pytest.mark.parametrize("depth", BY_HAND)
def test_resnets_have_the_layers_counted_by_hand(build_resnet, depth):
    network = build_resnet(depth)
    paper, every = select_norm_layers(network, "paper"), select_norm_layers(network, "all")
    found = (len(paper), sum(n.values for n in paper), len(every), sum(n.values for n in every))
    assert found == BY_HAND[depth]


def test_resnet50_reproduces_the_published_share():
    network = _mmselfsup_resnet(50)
    paper = apply_phase(network, Phase("norm", norm_layers="paper", norm_stats="batch")).counts()
    assert (paper.selected_layers, paper.trainable_values, paper.total_values) == (33, 37_888, 23_508_032)
    assert (paper.trainable_tensors, paper.moving_statistics) == (66, 33)
    assert round(paper.percent, 4) == 0.1612
    every = apply_phase(network, Phase("norm")).counts()
    assert (every.selected_layers, every.trainable_values, every.moving_statistics) == (53, 53_120, 0)
    assert round(every.percent, 4) == 0.2260


@pytest.mark.parametrize("name", ["resnet50", "resnet_v1d", "resnext", "seresnet", "regnet"])
def test_bottlenecks_train_the_stem_and_the_second_and_third_norm(name):
    network = build(name)
    # mmcls calls the norms of a block bn1, bn2, bn3, its shortcut downsample.N and a deep stem's stem.N.bn.
    expected = [n for n, m in network.named_modules() if isinstance(m, nn.BatchNorm2d)]
    expected = [n for n in expected if n == "bn1" or n.startswith("stem") or n.endswith(("bn2", "bn3"))]
    assert [norm.name for norm in select_norm_layers(network, "paper")] == expected


def test_a_deep_stem_counts_in_full():
    names = [norm.name for norm in select_norm_layers(build("resnet_v1d"), "paper")]
    assert names[:4] == ["stem.0.bn", "stem.1.bn", "stem.2.bn", "layer1.0.bn2"]
    with torch.device("meta"):
        deep = timm.create_model("resnet50d", num_classes=0)
    assert [norm.name for norm in select_norm_layers(deep, "paper")][:4] == [
        "conv1.1",
        "conv1.4",
        "bn1",
        "layer1.0.bn2",
    ]


class OddBlock(nn.Module):
    """A basic block whose names mislead, with a norm layer in its attention."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.bn2 = nn.Conv2d(width, width, 3, padding=1)
        self.last = nn.BatchNorm2d(width)
        self.shortcut_norm = nn.Conv2d(width, width, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(width)
        self.attention = nn.Sequential(nn.Conv2d(width, 2, 1), nn.BatchNorm2d(2))


def test_structure_decides_and_not_names():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), OddBlock(4), nn.Sequential(OddBlock(4)))
    assert [norm.name for norm in select_norm_layers(network, "paper")] == ["1", "2.bn1", "3.0.bn1"]


class PlainStem(nn.Module):
    """Two convolutions and norms at the top, as in HRNet's stem, before real blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.conv2, self.bn2 = nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)
        self.layer1 = nn.Sequential(OddBlock(4), OddBlock(4))


def test_a_stem_that_looks_like_a_block_is_the_stem():
    names = [norm.name for norm in select_norm_layers(PlainStem(), "paper")]
    assert names == ["bn1", "bn2", "layer1.0.bn1", "layer1.1.bn1"]


def test_a_wrapped_network_is_recognised():
    names = [norm.name for norm in select_norm_layers(nn.Sequential(build("resnet18")), "paper")]
    assert names[:2] == ["0.bn1", "0.layer1.0.bn2"]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.has_paper])
def test_other_networks_are_refused(name):
    with pytest.raises(UserError, match=r"'paper' has no meaning for \w+, because .*choose norm_layers 'all'"):
        select_norm_layers(build(name), "paper")


@pytest.mark.parametrize(
    "name",
    ["hrnet_w18", "dla34", "resnetv2_50", "mobilenetv2_100", "mobilenetv3_small_100", "tf_efficientnetv2_b0"],
)
def test_lookalikes_are_refused(name):
    with torch.device("meta"):
        network = timm.create_model(name, num_classes=0)
    with pytest.raises(UserError, match="'paper' has no meaning"):
        select_norm_layers(network, "paper")


def test_a_group_norm_resnet_has_the_same_selection():
    with torch.device("meta"):
        network = timm.create_model("resnet50_gn", num_classes=0)
    selected = select_norm_layers(network, "paper")
    assert (len(selected), {norm.kind for norm in selected}) == (33, {"group"})
