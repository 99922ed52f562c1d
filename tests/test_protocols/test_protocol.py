import dataclasses

import pytest

from mmbnft.protocols import PRESETS, Phase, Protocol, get_protocol
from mmbnft.utils.errors import UserError

# The table of protocols in words: train, norm_layers, norm_stats, epochs per phase.
TABLE = {
    "linear": [("head", "all", "frozen", None)],
    "linear_recalibrated": [("head", "all", "recalibrate", None)],
    "bn": [("norm", "all", "batch", None)],
    "bn_paper": [("norm", "paper", "batch", None)],
    "bn_frozen_stats": [("norm", "all", "frozen", None)],
    "linear_then_bn": [("head", "all", "frozen", 1), ("norm", "all", "frozen", None)],
    "bn_stats": [("head", "all", "batch", None)],
    "finetune": [("all", "all", "batch", None)],
    "linear_then_finetune": [("head", "all", "frozen", None), ("all", "all", "frozen", None)],
    "linear_then_finetune_batch_stats": [("head", "all", "frozen", None), ("all", "all", "batch", None)],
    "bn_then_finetune": [("norm", "all", "batch", None), ("all", "all", "batch", None)],
    "partial": [("stage:4", "all", "batch", None)],
}


def test_presets_are_the_table():
    found = {
        name: [(p.train, p.norm_layers, p.norm_stats, p.epochs) for p in protocol.phases]
        for name, protocol in PRESETS.items()
    }
    assert found == TABLE
    assert all(name == protocol.name and protocol.published_as for name, protocol in PRESETS.items())


def test_only_the_full_phase_after_linear_has_a_low_rate():
    low = [name for name, protocol in PRESETS.items() if any(phase.lr_scale != 1.0 for phase in protocol.phases)]
    assert low == ["linear_then_finetune", "linear_then_finetune_batch_stats"]
    assert PRESETS["linear_then_finetune"].phases[1].lr_scale < 1.0


def test_partial_takes_a_stage():
    protocol = get_protocol("partial:2")
    assert protocol.name == "partial:2"
    assert protocol.phases[0].train == "stage:2"
    assert protocol.phases[0].first_stage == 2


@pytest.mark.parametrize("name", ["Linear", "partial:0", "partial:", "partial:-1", "partial:2:3", "", None, 3])
def test_unknown_protocol_is_refused_with_choices(name):
    with pytest.raises(UserError, match=r"unknown protocol .*bn_paper.*partial:K"):
        get_protocol(name)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train": "backbone"}, "train of a phase must be head, norm, stage:K"),
        ({"train": "stage:0"}, "train of a phase"),
        ({"train": "stage:x"}, "train of a phase"),
        ({"train": None}, "train of a phase"),
        (
            {"train": "head", "norm_layers": "bn2"},
            "norm_layers .* must be one of all, paper, stem, last, stage:K, got 'bn2'",
        ),
        ({"train": "head", "norm_stats": "eval"}, "norm_stats of a phase must be one of frozen, batch, recalibrate"),
        ({"train": "head", "epochs": 0}, "epochs of a phase must be a whole number from 1 or None, got 0"),
        ({"train": "head", "epochs": 1.5}, "epochs of a phase"),
        ({"train": "head", "lr_scale": 0.0}, "lr_scale of a phase must be a finite number above 0, got 0.0"),
        ({"train": "head", "lr_scale": float("nan")}, "lr_scale of a phase"),
        ({"train": "head", "lr_scale": "0.1"}, "lr_scale of a phase"),
    ],
)
def test_bad_phase_is_refused(options, message):
    with pytest.raises(UserError, match=message):
        Phase(**options)


@pytest.mark.parametrize("phases", [(), [Phase("head")], ("head",)])
def test_bad_protocol_is_refused(phases):
    with pytest.raises(UserError, match="phase"):
        Protocol("mine", phases)


def test_a_phase_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Phase("head").train = "all"
