"""The network of each checkpoint: what it is, how large, and what BN tuning trains in it."""

import math

import pandas as pd

from mmbnft.ranking.report.section import Section, Shown, number, text, without_empty
from mmbnft.ranking.study import Study

COLUMNS = ("checkpoint", "network", "parameters", "multiply_adds", "norm_layers")
_KINDS = {
    "batch": "BatchNorm",
    "layer": "LayerNorm",
    "group": "GroupNorm",
    "instance": "InstanceNorm",
    "rms": "RMSNorm",
}
# Protocols whose name says batch norm; on other norms they train scale and offset alone, for there are no statistics.
_BN = ("bn", "bn_paper", "bn_frozen_stats", "bn_stats", "linear_then_bn", "bn_then_finetune")


def _table(study: Study) -> pd.DataFrame:
    rows = [
        (
            name,
            network.get("name", ""),
            network.get("parameters", math.nan),
            network.get("multiply_adds", math.nan),
            ", ".join(f"{count} {_KINDS.get(kind, kind)}" for kind, count in (network.get("norms") or {}).items()),
        )
        for name, network in study.networks.items()
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _shown(study: Study, _: str) -> Shown:
    rows = [
        [
            text(row.checkpoint),
            text(row.network),
            number(row.parameters / 1e6),
            number(row.multiply_adds / 1e6, 1),
            text(row.norm_layers),
        ]
        for row in _table(study).itertuples()
    ]
    return without_empty(Shown(["checkpoint", "network", "parameters, M", "multiply-adds, M", "norm layers"], rows))


def _sentence(study: Study) -> str:
    """Which checkpoints have no batch norm, so that `bn` was `norm` there."""
    run = [protocol for protocol in study.scores.protocols if protocol.removeprefix("fewshot-").split("-")[0] in _BN]
    without = {name: norms for name, network in study.networks.items() if (norms := network.get("norms"))}
    without = {name: norms for name, norms in without.items() if "batch" not in norms}
    if not run or not without:
        return ""
    listed = ", ".join(f"{name} ({' and '.join(_KINDS.get(k, k) for k in norms)})" for name, norms in without.items())
    return (
        f"Norm tuning instead of BN tuning ({', '.join(run)}) for {listed}: without batch norm, scale and offset of "
        "the norm layers are trained, and there are no running statistics."
    )


SECTION = Section(
    order=55,
    name="networks",
    title="Networks",
    columns=COLUMNS,
    table=_table,
    shown=_shown,
    sentence=_sentence,
    overall=("",),
)
