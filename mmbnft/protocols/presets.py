"""The protocols of the literature, by name."""

import re
from collections.abc import Mapping
from typing import Any

from mmbnft.protocols.protocol import Phase, Protocol
from mmbnft.utils.errors import UserError, choices, meant

_LAST_OF_FOUR = 4
_LOW_RATE = 0.1


def _partial(name: str, first_stage: int) -> Protocol:
    return Protocol(name, (Phase(f"stage:{first_stage}", norm_stats="batch"),), "fine-tuning from layer N")


_ALL_PRESETS = (
    Protocol("linear", (Phase("head"),), "linear probing"),
    Protocol(
        "linear_recalibrated",
        (Phase("head", norm_stats="recalibrate"),),
        "linear probing after re-estimating the norm statistics on the task (AdaBN)",
    ),
    Protocol("bn", (Phase("norm", norm_stats="batch"),), "BN tuning"),
    Protocol("bn_paper", (Phase("norm", norm_layers="paper", norm_stats="batch"),), "vpulab/bn_finetuning"),
    Protocol("bn_frozen_stats", (Phase("norm"),), "FC-BN (Kanavati & Tsuneki)"),
    Protocol("linear_then_bn", (Phase("head", epochs=1), Phase("norm")), "FC-then-BN (Kanavati & Tsuneki)"),
    Protocol("bn_stats", (Phase("head", norm_stats="batch"),), "FC-BMA (Kanavati & Tsuneki)"),
    Protocol("finetune", (Phase("all", norm_stats="batch"),), "end-to-end fine-tuning"),
    Protocol(
        "linear_then_finetune",
        (Phase("head"), Phase("all", lr_scale=_LOW_RATE)),
        "FC-then-full (Kanavati & Tsuneki)",
    ),
    Protocol(
        "linear_then_finetune_batch_stats",
        (Phase("head"), Phase("all", norm_stats="batch", lr_scale=_LOW_RATE)),
        "FC-then-full-BMA (Kanavati & Tsuneki)",
    ),
    Protocol(
        "bn_then_finetune",
        (Phase("norm", norm_stats="batch"), Phase("all", norm_stats="batch")),
        "freeze all but BN, then unfreeze",
    ),
    _partial("partial", _LAST_OF_FOUR),
)
PRESETS: dict[str, Protocol] = {protocol.name: protocol for protocol in _ALL_PRESETS}


def get_protocol(name: str | Mapping[str, Any] | Protocol) -> Protocol:
    """Look up a protocol by name, or build the one that a configuration defines.

    Args:
        name: A key of `PRESETS`, or `partial:K` for everything from stage K up (`partial` alone is `partial:4`, and its
            name is that of both); `dict(name=..., phases=[...])`; or a protocol, which is passed on.

    Raises:
        UserError: There is no such protocol; the message lists those there are.
    """
    if isinstance(name, Protocol):
        return name
    if isinstance(name, Mapping):
        return Protocol.from_config(name)
    if isinstance(name, str):
        name = "partial" if name == f"partial:{_LAST_OF_FOUR}" else name
        if name in PRESETS:
            return PRESETS[name]
        match = re.fullmatch(r"partial:([1-9][0-9]*)", name)
        if match:
            return _partial(name, int(match.group(1)))
    raise UserError(
        f"unknown protocol {name!r}; choose one of {choices(set(PRESETS))}, or partial:K with K from 1"
        f"{meant(str(name), PRESETS)}"
    )


def name_of(protocol: str | Protocol) -> str:
    """Name of a protocol, or of what is called by a name already."""
    return protocol.name if isinstance(protocol, Protocol) else protocol
