import torch
from mmselfsup.models import BACKBONES
from protocol_networks import build
from torch import nn

from mmbnft.protocols import Phase, Row, apply_phase, describe, format_table, get_protocol


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(5))
        self.conv = nn.Conv2d(1, 2, 3)
        self.norm = nn.BatchNorm2d(2)
        self.bare = nn.BatchNorm2d(2, affine=False)
        self.untracked = nn.BatchNorm2d(2, track_running_stats=False)
        self.group = nn.GroupNorm(1, 2)


def test_rows_by_hand():
    assert describe(Network(), Phase("norm", norm_stats="batch")) == [
        Row("(network)", "Network", False, "-", 5),
        Row("conv", "Conv2d", False, "-", 20),
        Row("norm", "batch norm", True, "batch", 4),
        Row("bare", "batch norm", False, "batch", 0),
        Row("untracked", "batch norm", True, "batch, none kept", 4),
        Row("group", "group norm", True, "-", 4),
    ]


def test_text_by_hand():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    assert format_table(describe(network, Phase("norm"))) == (
        "layer  kind        trainable  statistics  values\n"
        "-----  ----------  ---------  ----------  ------\n"
        "0      Conv2d      no         -               20\n"
        "1      batch norm  yes        frozen           4\n"
        "\n"
        "norm layers: 1, of which 1 train and 0 move statistics\n"
        "values that train: 4 of 24 (16.6667 % of the backbone)"
    )


def test_an_empty_network_has_a_table():
    assert "values that train: 0 of 0 (0.0000 % of the backbone)" in format_table(describe(nn.ReLU(), Phase("head")))


def test_the_published_figure_is_printed():
    with torch.device("meta"):
        network = BACKBONES.build({"type": "ResNet", "depth": 50})
    text = format_table(describe(network, get_protocol("bn_paper").phases[0]))
    assert text.endswith(
        "norm layers: 53, of which 33 train and 33 move statistics\n"
        "values that train: 37,888 of 23,508,032 (0.1612 % of the backbone)"
    )


def test_describing_changes_nothing_and_agrees_with_the_applied_phase():
    network = build("resnet18")
    flags, modes = [p.requires_grad for p in network.parameters()], [m.training for m in network.modules()]
    phase = Phase("head", norm_layers="paper", norm_stats="recalibrate")
    rows = describe(network, phase)
    assert [p.requires_grad for p in network.parameters()] == flags
    assert [m.training for m in network.modules()] == modes
    applied = apply_phase(network, phase)
    assert describe(network, applied) == rows
    assert sum(row.values for row in rows) == applied.counts().total_values
    assert sum(row.statistics == "recalibrate" for row in rows) == applied.counts().moving_statistics == 7
