"""The table a person needs: what a phase trains, layer by layer."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from mmbnft.protocols.apply import AppliedPhase
from mmbnft.protocols.norms import find_norm_layers
from mmbnft.protocols.phase_plan import plan_phase
from mmbnft.protocols.protocol import Phase

_TITLES = ("layer", "kind", "trainable", "statistics", "values")


@dataclass(frozen=True)
class Row:
    """One module that owns parameters or running statistics.

    Attributes:
        layer: Dotted name; `(network)` for parameters that the network itself owns.
        kind: `batch norm`, `layer norm` ..., otherwise the module's class.
        trainable: Whether its parameters train.
        statistics: `frozen`, `batch` or `recalibrate`; `batch, none kept` for a batch norm without running
            statistics; `-` where there are none.
        values: Number of values of its parameters, those of modules inside it not counted.
    """

    layer: str
    kind: str
    trainable: bool
    statistics: str
    values: int


def describe(backbone: nn.Module, phase: Phase | AppliedPhase) -> list[Row]:
    """List what a phase trains in a backbone, without changing it.

    Args:
        backbone: The backbone.
        phase: A phase, or one already in effect.

    Raises:
        UserError: The phase has no meaning for this network.
    """
    plan = phase.plan if isinstance(phase, AppliedPhase) else plan_phase(backbone, phase)
    norms = {layer.name: layer for layer in find_norm_layers(backbone)}
    moving = {name.rpartition(".")[0] for name in plan.statistics_names}
    values: dict[str, int] = dict.fromkeys(norms, 0)
    for name, parameter in backbone.named_parameters():
        owner = name.rpartition(".")[0]
        values[owner] = values.get(owner, 0) + parameter.numel()
    trainable = {name.rpartition(".")[0] for name in plan.trainable_names}
    rows = []
    for name, module in backbone.named_modules():
        if name not in values:
            continue
        norm = norms.get(name)
        statistics = "-"
        if norm is not None and norm.has_stats:
            statistics = plan.phase.norm_stats if name in moving else "frozen"
        elif norm is not None and norm.kind == "batch":
            statistics = "batch, none kept"
        kind = f"{norm.kind} norm" if norm is not None else type(module).__name__
        rows.append(Row(name or "(network)", kind, name in trainable, statistics, values[name]))
    return rows


def format_table(rows: Sequence[Row]) -> str:
    """Lay out rows as plain text, with totals and the share of the backbone that trains in percent."""
    cells = [_TITLES, *((r.layer, r.kind, "yes" if r.trainable else "no", r.statistics, f"{r.values:,}") for r in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_TITLES))]
    lines = [
        "  ".join(
            [
                *(cell.ljust(width) for cell, width in zip(line[:-1], widths[:-1], strict=True)),
                line[-1].rjust(widths[-1]),
            ]
        )
        for line in cells
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([*lines, "", *_totals(rows)])


def _totals(rows: Sequence[Row]) -> list[str]:
    norms = [row for row in rows if row.kind.endswith(" norm")]
    training = sum(row.values for row in rows if row.trainable)
    total = sum(row.values for row in rows)
    percent = 100.0 * training / total if total else 0.0
    moving = sum(row.statistics in ("batch", "recalibrate") for row in norms)
    return [
        f"norm layers: {len(norms)}, of which {sum(row.trainable for row in norms)} train and {moving} move statistics",
        f"values that train: {training:,} of {total:,} ({percent:.4f} % of the backbone)",
    ]
