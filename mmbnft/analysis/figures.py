"""Figures of an analysis, for the page, for files of their own, and for trackers."""

import io
import itertools
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from cycler import cycler
from matplotlib.figure import Figure

from mmbnft.analysis.findings import Run
from mmbnft.analysis.predictions import calibration, confusion
from mmbnft.analysis.protocol_gains import ALL_TASKS, BASELINE, protocol_table
from mmbnft.evaluation.training.movement import EDGES

# Okabe & Ito's colours keep apart under every common colour blindness.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#5b6068")
INK = "#808488"  # reads on light and dark grounds
MOST_RUNS = 12  # drawn together; more lines tell nothing
MOST_COLUMNS = 4  # of panels side by side
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))  # they would name addresses on the web
STYLE: Any = {"svg.fonttype": "none", "svg.hashsalt": "mmbnft", "font.family": "sans-serif", "font.size": 9,
              "axes.spines.top": False, "axes.spines.right": False,
              **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
              "axes.prop_cycle": cycler(color=PALETTE)}  # fmt: skip


def figures(runs: Sequence[Run]) -> dict[str, Figure]:
    """Every figure that the runs allow, by name."""
    drawn = {
        "protocols": _protocols(protocol_table([run.result for run in runs])),
        "layer_profiles": _profiles([run for run in runs if run.layers is not None and _moved(run)][:MOST_RUNS]),
        "stages": _stages([run for run in runs if run.features is not None][:MOST_RUNS]),
        "maps": _maps([run for run in runs if run.maps and _one_class(run.labels)]),
        "curves": _curves([run for run in runs if _curve(run)]),
        "movement": _movement([run for run in runs if _moves(run)][:4]),
        "sizes": _sizes([run for run in runs if any(entry.get("sizes") for entry in _curve(run))][:4]),
        "predictions": _predictions([run for run in runs if _has_classes(run)][:4]),
    }
    return {name: figure for name, figure in drawn.items() if figure is not None}


def _moved(run: Run) -> bool:
    layers = run.layers
    return layers is not None and any(name in layers and layers[name].any() for name in ("weight_relative", "kl"))


def _moves(run: Run) -> bool:
    return any(len(entry.get("moved", ())) > 1 for entry in _curve(run))


def _curve(run: Run) -> list[dict[str, Any]]:
    return run.result.details.get("curve") or []


def _one_class(labels: np.ndarray | None) -> bool:
    return labels is not None and labels.ndim == 1


def _has_classes(run: Run) -> bool:
    predictions = run.result.predictions
    return predictions is not None and predictions.labels.ndim == 1


def as_svg(figure: Figure) -> str:
    """A figure as an SVG element, the same text whenever it is drawn."""
    stream = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(stream, format="svg", transparent=True, metadata=NO_METADATA)
    text = stream.getvalue()
    return text[text.index("<svg") :]


def _panels(rows: int, columns: int, width: float, height: float) -> tuple[Figure, np.ndarray]:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
        return figure, figure.subplots(rows, columns, squeeze=False)


def _with_legend(figure: Figure, drawn: Sequence[object]) -> Figure:
    if len(drawn) > 1:
        with mpl.rc_context(STYLE):
            handles = figure.axes[0].get_legend_handles_labels()
            figure.legend(*handles, loc="outside lower center", ncols=3, frameon=False)
    return figure


def _protocols(table: pd.DataFrame) -> Figure | None:
    """Gain of each protocol, best first: the mean over tasks with its interval, and a dot for each task."""
    if table.empty:
        return None
    table = table[table["protocol"] != BASELINE]
    groups = list(dict.fromkeys(table["checkpoints"]))
    overall = table[table["task"] == ALL_TASKS] if (table["task"] == ALL_TASKS).any() else table
    order = list(overall[overall["checkpoints"] == groups[0]].groupby("protocol")["gain"].mean().sort_values().index)
    figure, panels = _panels(1, 1, 7, 0.9 + 0.34 * len(order))
    axes = panels[0, 0]
    for shift, color, group in zip(np.linspace(0.12, -0.12, len(groups)), PALETTE, groups, strict=False):
        for rows, marks in ((overall, "means"), (table[table["task"] != ALL_TASKS], "tasks")):
            own = rows[(rows["checkpoints"] == group) & rows["protocol"].isin(order)]
            place = [order.index(name) + (shift if len(groups) > 1 else 0) for name in own["protocol"]]
            if marks == "tasks":
                axes.plot(own["gain"], place, "o", color=color, alpha=0.35, markersize=4, markeredgewidth=0)
                continue
            axes.hlines(place, own["low"], own["high"], color=color, linewidth=1.4)
            axes.plot(own["gain"], place, "D", color=color, markersize=5, label=group)
    axes.axvline(0, color=INK, linewidth=0.6)
    axes.set_yticks(range(len(order)), order)
    axes.set_ylim(-0.5, len(order) - 0.5)
    axes.set_xlabel("gain over the linear probe, points")
    return _with_legend(figure, groups)


def _profiles(runs: Sequence[Run]) -> Figure | None:
    if not runs:
        return None
    figure, panels = _panels(3, 1, 8, 1.9)
    titles = {"weight_relative": "weight: relative change", "bias_absolute": "bias: mean change",
              "kl": "running statistics: symmetric KL"}  # fmt: skip
    for axes, (column, title) in zip(panels[:, 0], titles.items(), strict=True):
        for run in runs:
            layers = run.layers
            assert layers is not None
            if column in layers:
                axes.plot(layers[column].to_numpy(), ".-", label=run.name, linewidth=1)
        axes.set_ylabel(title.replace(": ", ":\n"))
    panels[-1, 0].set_xlabel("norm layer, input first")
    return _with_legend(figure, runs)


def _stages(runs: Sequence[Run]) -> Figure | None:
    if not runs:
        return None
    shown = [("cka", "CKA, before vs. after")]
    shown += [(name, f"{title} (before: dashed)") for name, title in
              (("effective_rank_after", "effective rank"), ("fisher_after", "Fisher ratio"))]  # fmt: skip
    figure, panels = _panels(1, len(shown), 2.9, 2.6)
    for axes, (column, title) in zip(panels[0], shown, strict=True):
        for run in runs:
            table = run.features
            assert table is not None
            if column in table:
                (line,) = axes.plot(table["stage"], table[column], ".-", label=run.name, linewidth=1)
                if column != "cka":
                    before = table[column.replace("after", "before")]
                    axes.plot(table["stage"], before, "--", color=line.get_color(), linewidth=0.8)
        axes.set_title(title, fontsize=9)
        axes.tick_params(axis="x", labelrotation=60)
    return _with_legend(figure, runs)


def _maps(runs: Sequence[Run]) -> Figure | None:
    if not runs:
        return None
    figure, panels = _panels(len(runs), 4, 2.2, 2.2)
    for row, run in zip(panels, runs, strict=True):
        for axes, (title, points) in zip(row, run.maps.items(), strict=True):
            axes.scatter(*points.T, c=run.labels, cmap="tab20", s=4, linewidths=0)
            axes.set_title(f"{run.name}\n{title}" if axes is row[0] else title, fontsize=8)
            axes.set_xticks([])
            axes.set_yticks([])
    return figure


def _curves(runs: Sequence[Run]) -> Figure | None:
    if not runs:
        return None
    return _mean_curves(runs) if len(runs) > MOST_RUNS else _own_curves(runs)


def _mean_curves(runs: Sequence[Run]) -> Figure:
    """Training loss of each protocol, one panel for each task: mean over runs, and the middle half of them."""
    recipes = len({run.result.recipe for run in runs}) > 1
    rows = pd.DataFrame(
        {
            "task": run.result.task,
            "protocol": f"{run.result.protocol} {run.result.recipe}" if recipes else run.result.protocol,
            "epoch": epoch,
            "loss": entry["loss"],
        }
        for run in runs
        for epoch, entry in enumerate(_curve(run), 1)
    )
    tasks, protocols = sorted(set(rows["task"])), sorted(set(rows["protocol"]))
    columns = min(len(tasks), MOST_COLUMNS)
    figure, panels = _panels(-(-len(tasks) // columns), columns, 2.6, 2.3)
    for axes, task in zip(panels.flat, tasks, strict=False):
        for color, protocol in zip(itertools.cycle(PALETTE), protocols, strict=False):
            losses = rows[(rows["task"] == task) & (rows["protocol"] == protocol)].groupby("epoch")["loss"]
            mean = losses.mean()
            axes.plot(mean.index, mean, color=color, linewidth=1.2, label=protocol)
            axes.fill_between(mean.index, losses.quantile(0.25), losses.quantile(0.75), color=color, alpha=0.15, lw=0)
        axes.set_title(f"training loss, {task}", fontsize=9)
        axes.set_xlabel("epoch, over all phases")
    for axes in panels.flat[len(tasks) :]:
        axes.set_axis_off()
    return _with_legend(figure, protocols)


def _own_curves(runs: Sequence[Run]) -> Figure:
    val = {run.name: [(n, entry["val"]) for n, entry in enumerate(run.result.details["curve"], 1)
                      if entry.get("val") is not None] for run in runs}  # fmt: skip
    titles = ["training loss", "val (%)"] if any(val.values()) else ["training loss"]
    figure, panels = _panels(1, len(titles), 4.2, 2.6)
    for run in runs:
        losses = [entry["loss"] for entry in run.result.details["curve"]]
        points = [list(enumerate(losses, 1)), val[run.name]]
        for axes, pairs in zip(panels[0], points, strict=False):
            axes.plot([n for n, _ in pairs], [value for _, value in pairs], ".-", label=run.name, linewidth=1)
    for axes, title in zip(panels[0], titles, strict=True):
        axes.set_title(title, fontsize=9)
        axes.set_xlabel("epoch, over all phases")
    return _with_legend(figure, runs)


def _movement(runs: Sequence[Run]) -> Figure | None:
    if not runs:
        return None
    figure, panels = _panels(1, len(runs), 2.9, 2.8)
    for axes, run in zip(panels[0], runs, strict=True):
        curve = run.result.details["curve"]
        parts = list(dict.fromkeys(part for entry in curve for part in entry.get("moved", {})))
        values = np.array([[entry.get("moved", {}).get(part, np.nan) for entry in curve] for part in parts])
        image = axes.imshow(np.log10(np.maximum(values, 1e-8)), aspect="auto", cmap="viridis", interpolation="nearest")
        axes.set_yticks(range(len(parts)), parts, fontsize=7)
        axes.set_xlabel("epoch, over all phases")
        axes.set_title(run.name, fontsize=8)
        figure.colorbar(image, ax=axes, label="log10 of relative change" if run is runs[-1] else "")
    return figure


def _sizes(runs: Sequence[Run]) -> Figure | None:
    """Histograms of changes: one column for each run, one row for each part, epochs from left to right."""
    if not runs:
        return None
    parts = list(dict.fromkeys(part for run in runs for entry in _curve(run) for part in entry.get("sizes", {})))
    figure, panels = _panels(len(parts), len(runs), 2.6, 0.9)
    nothing = [0] * (len(EDGES) + 1)
    for column, run in zip(panels.T, runs, strict=True):
        for axes, part in zip(column, parts, strict=True):
            counts = np.array([entry.get("sizes", {}).get(part, nothing) for entry in _curve(run)], float)
            shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
            axes.imshow(
                shares.T, origin="lower", aspect="auto", cmap="viridis", vmin=0, vmax=1, interpolation="nearest"
            )
            axes.set_yticks([0.5, len(EDGES) - 0.5], [f"{EDGES[0]:g}", f"{EDGES[-1]:g}"], fontsize=6)
            axes.set_xticks([])
            if axes in panels[:, 0]:
                axes.set_ylabel(part, fontsize=7)
        column[0].set_title(run.name, fontsize=8)
        column[-1].set_xlabel("epoch, over all phases")
    return figure


def _predictions(runs: Sequence[Run]) -> Figure | None:
    if not runs:
        return None
    figure, panels = _panels(2, len(runs), 2.3, 2.2)
    for (above, below), run in zip(panels.T, runs, strict=True):
        predictions = run.result.predictions
        assert predictions is not None
        counts = confusion(predictions)
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        above.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        above.set_title(run.name, fontsize=8)
        above.set_xlabel("predicted class")
        above.set_ylabel("true class")
        table = calibration(predictions)
        filled = table[:, 0] > 0
        below.plot([0, 1], [0, 1], color=INK, linewidth=0.6)
        below.plot(table[filled, 1], table[filled, 2], ".-", linewidth=1)
        below.set_xlabel("confidence")
        below.set_ylabel("share right")
    return figure
