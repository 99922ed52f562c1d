"""Real optimiser steps on every family of networks: what should move moves, everything else stays bit-identical."""

import copy
import random

import pytest
import torch
from mmselfsup.models import BACKBONES
from protocol_networks import CASES, build, features, images
from torch import nn

from mmbnft.protocols import PRESETS, Phase, apply_phase, audit, get_protocol, plan_phase, select_norm_layers, snapshot
from mmbnft.utils.errors import UserError

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def _tensors(network):
    return {name: t.detach().clone() for name, t in [*network.named_parameters(), *network.named_buffers()]}


def _changed(before, network):
    return {name for name, tensor in _tensors(network).items() if not torch.equal(tensor, before[name])}


def _train(backbone, head, phase, steps=2):
    """What the engine does with a phase."""
    applied = apply_phase(backbone, phase)
    parameters = [p for p in [*backbone.parameters(), *head.parameters()] if p.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=0.05 * phase.lr_scale)
    if phase.norm_stats == "recalibrate":
        applied.recalibrate([images(seed=7), images(seed=8)])
    for step in range(steps):
        backbone.train()
        applied.restore_modes()
        batch = images(seed=step)
        loss = nn.functional.cross_entropy(head(features(backbone, batch)), torch.arange(len(batch)) % 3)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        backbone.eval()
        applied.restore_modes()
        with torch.no_grad():
            backbone(batch)
    applied.restore()
    return applied


def _head(backbone):
    probe = copy.deepcopy(backbone)
    probe.eval()
    with torch.no_grad():
        width = features(probe, images(2)).shape[1]
    torch.manual_seed(3)
    return nn.Linear(width, 3).double()


def _norm_names(network):
    kinds = nn.BatchNorm2d | nn.LayerNorm | nn.GroupNorm
    return [name for name, module in network.named_modules() if isinstance(module, kinds)]


def _of(owners, names, network):
    """Parameters or buffers of the given names that the given modules own."""
    return {f"{owner}.{name}" for owner in owners for name in names if hasattr(network.get_submodule(owner), name)}


def _expected(network, case, phase):
    """Names that must move in a phase, worked out here without the package's plan."""
    parameters = {name for name, _ in network.named_parameters()}
    norms = _norm_names(network)
    if phase.norm_layers == "paper":
        norms = [norm.name for norm in select_norm_layers(network, "paper")]
    if phase.train.startswith("stage"):
        norms = [name for name in norms if f"{name}.".startswith(case.last_stage)]
        moving = {name for name in parameters if name.startswith(case.last_stage)}
    else:
        moving = {"head": set(), "norm": _of(norms, ("weight", "bias"), network), "all": parameters}[phase.train]
    if phase.norm_stats != "frozen":
        moving |= {n for n in _of(norms, STATISTICS, network) if n in dict(network.named_buffers())}
    return moving


def _combinations():
    for name, case in CASES.items():
        for preset in PRESETS:
            needs_stats = preset in ("bn_stats", "linear_recalibrated")
            if (preset == "bn_paper" and not case.has_paper) or (needs_stats and not case.has_stats):
                continue
            yield name, f"partial:{case.stages}" if preset == "partial" else preset


@pytest.mark.parametrize(("network", "preset"), _combinations())
def test_exactly_what_the_protocol_says_moves(network, preset):
    backbone = build(network)
    head = _head(backbone)
    before, proof = _tensors(backbone), snapshot(backbone, head)
    phases = [_train(backbone, head, phase) for phase in get_protocol(preset).phases]
    expected = set().union(*(_expected(backbone, CASES[network], applied.phase) for applied in phases))
    changed = _changed(before, backbone)
    assert changed <= expected
    assert {name for name in expected - changed if not name.endswith(CASES[network].shifts)} == set()
    report = audit(proof, backbone, phases, head)
    report.raise_if_failed()
    assert (set(report.moved), set(report.unmoved)) == (changed, expected - changed)


def _mode_combinations():
    presets = ("linear", "bn", "bn_paper", "bn_frozen_stats", "bn_stats", "finetune", "partial")
    for name in ("resnet18", "resnet_v1d", "densenet", "preactivation", "vit"):
        refused = {"bn_paper": not CASES[name].has_paper, "bn_stats": not CASES[name].has_stats}
        yield from ((name, preset) for preset in presets if not refused.get(preset))


@pytest.mark.parametrize(("name", "preset"), _mode_combinations())
def test_no_order_of_modes_changes_trainability_or_frozen_tensors(name, preset):
    case = CASES[name]
    backbone, phase = build(name), get_protocol(preset).phases[0]
    applied = apply_phase(backbone, phase)
    before = _tensors(backbone)
    flags = {n: p.requires_grad for n, p in backbone.named_parameters()}
    parameters = set(dict(backbone.named_parameters()))
    assert {n for n, flag in flags.items() if flag} == _expected(backbone, case, phase) & parameters
    chance, trained = random.Random(0), False
    for _ in range(12):
        mode = chance.random() < 0.5
        backbone.train(mode) if chance.random() < 0.8 else (backbone.train(), backbone.train(mode))
        for _ in range(chance.randint(1, 3)):
            applied.restore_modes()
        with torch.no_grad():
            backbone(images(3))
        trained |= mode
        moving = _expected(backbone, case, phase) - parameters if trained else set()
        assert _changed(before, backbone) == moving
        assert {n: p.requires_grad for n, p in backbone.named_parameters()} == flags


def _modes(network):
    return {name: module.training for name, module in network.named_modules()}


@pytest.mark.parametrize("preset", PRESETS)
def test_everything_is_in_eval_mode_when_evaluated(preset):
    backbone = build("resnet18")
    for phase in get_protocol(preset).phases:
        applied = apply_phase(backbone, phase)
        backbone.train()
        applied.restore_modes()
        backbone.eval()
        applied.restore_modes()
        assert not any(_modes(backbone).values())
        applied.restore()


class WithDropout(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.group = nn.GroupNorm(2, 4)
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        x = self.drop(self.group(self.norm(self.conv(x))))
        return nn.functional.dropout(x, training=self.training)


# Modules in train mode after train(): the network itself, conv and drop follow unless nothing of the backbone trains.
TRAIN_MODES = [
    (Phase("head"), set()),
    (Phase("head", norm_stats="batch"), {"norm", "group"}),
    (Phase("head", norm_stats="recalibrate"), set()),
    (Phase("norm"), {"", "conv", "drop"}),
    (Phase("norm", norm_stats="batch"), {"", "conv", "drop", "norm", "group"}),
    (Phase("norm", norm_stats="recalibrate"), {"", "conv", "drop"}),
    (Phase("all"), {"", "conv", "drop"}),
    (Phase("all", norm_stats="batch"), {"", "conv", "drop", "norm", "group"}),
]


@pytest.mark.parametrize(("phase", "expected"), TRAIN_MODES)
def test_modes_of_each_phase(phase, expected):
    network = WithDropout()
    applied = apply_phase(network, phase)  # the network is in train mode as built
    assert {name for name, mode in _modes(network).items() if mode} == expected
    for _ in range(2):
        network.train()
        applied.restore_modes()
        applied.restore_modes()
        assert {name for name, mode in _modes(network).items() if mode} == expected


def test_linear_probing_sees_no_dropout():
    network = WithDropout()
    applied = apply_phase(network, Phase("head"))
    network.train()
    applied.restore_modes()
    batch = torch.randn(2, 3, 8, 8)
    assert torch.equal(network(batch), network(batch))


def test_the_phase_overrules_a_network_with_its_own_train():
    config = {"type": "ResNet", "depth": 18, "stem_channels": 8, "base_channels": 8}
    network = BACKBONES.build(config | {"norm_eval": True})
    applied = apply_phase(network, get_protocol("bn").phases[0])
    network.train()
    assert not network.bn1.training
    applied.restore_modes()
    assert network.bn1.training
    frozen = BACKBONES.build(config | {"norm_eval": False})
    applied = apply_phase(frozen, get_protocol("bn_paper").phases[0])
    frozen.train()
    applied.restore_modes()
    assert not frozen.layer1[0].bn1.training
    assert frozen.layer1[0].bn2.training


def test_restore_puts_back_flags_and_modes():
    network = build("resnet18")
    network.eval()
    network.layer1.train()
    network.conv1.weight.requires_grad_(False)
    modes, flags = _modes(network), [p.requires_grad for p in network.parameters()]
    applied = apply_phase(network, Phase("all"))
    assert network.conv1.weight.requires_grad
    network.train()
    applied.restore_modes()
    applied.restore()
    assert _modes(network) == modes
    assert [p.requires_grad for p in network.parameters()] == flags


def test_layers_that_are_not_selected_are_frozen_whatever_trains():
    network = build("resnet18")
    applied = apply_phase(network, Phase("all", norm_layers="paper", norm_stats="batch"))
    first, second = network.layer1[0].bn1, network.layer1[0].bn2
    assert (first.weight.requires_grad, second.weight.requires_grad) == (False, True)
    assert network.layer1[0].conv1.weight.requires_grad
    applied.restore_modes()
    assert (first.training, second.training) == (False, True)


def test_missing_affine_parameters_and_statistics():
    network = nn.Sequential(
        nn.BatchNorm2d(3, affine=False), nn.BatchNorm2d(3), nn.BatchNorm2d(3, track_running_stats=False)
    )
    plan = plan_phase(network, Phase("norm", norm_stats="batch"))
    assert plan.trainable_names == ("1.weight", "1.bias", "2.weight", "2.bias")
    assert plan.statistics_names == tuple(f"{layer}.{name}" for layer in (0, 1) for name in STATISTICS)


def test_integer_parameters_are_left_alone():
    network = nn.Sequential(nn.Linear(2, 2))
    network.register_parameter("codes", nn.Parameter(torch.zeros(2, dtype=torch.int8), requires_grad=False))
    applied = apply_phase(network, Phase("all"))
    assert applied.trainable_names == ("0.weight", "0.bias")


BARE = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())


@pytest.mark.parametrize(
    ("network", "phase", "message"),
    [
        (BARE, Phase("norm"), "train 'norm' has nothing to train in Sequential, which has no norm layers; choose head"),
        (nn.Sequential(nn.BatchNorm2d(3, affine=False)), Phase("norm"), "norm layers without affine parameters"),
        (nn.Sequential(nn.LayerNorm(3)), Phase("head", norm_stats="batch"), "no running statistics to move"),
        (nn.Sequential(nn.LayerNorm(3)), Phase("norm", norm_stats="recalibrate"), "no running statistics to move"),
        (BARE, Phase("head", norm_layers="paper"), "'paper' has no meaning for Sequential"),
    ],
)
def test_a_phase_without_meaning_is_refused_and_changes_nothing(network, phase, message):
    network.train()
    with pytest.raises(UserError, match=message):
        apply_phase(network, phase)
    assert all(p.requires_grad for p in network.parameters())
    assert all(_modes(network).values())


def test_a_network_without_norm_layers_has_linear_and_finetune():
    assert apply_phase(BARE, Phase("head")).counts().trainable_values == 0
    assert apply_phase(BARE, get_protocol("finetune").phases[0]).counts().percent == 100.0
    assert apply_phase(nn.ReLU(), Phase("head")).counts().percent == 0.0
