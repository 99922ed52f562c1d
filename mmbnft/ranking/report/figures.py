"""Figures of a report for papers and slides, as SVG and PNG in its folder; the page draws its own."""

import io
import math
import re
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmbnft.ranking.comparison import A_BETTER, B_BETTER
from mmbnft.ranking.controls import RANDOM
from mmbnft.ranking.correlations import MEAN
from mmbnft.ranking.cost_trust import TRUST
from mmbnft.ranking.report.marks import MATPLOTLIB, PALETTE, SHAPES, mark
from mmbnft.ranking.study import Study
from mmbnft.ranking.table import TaskScores

# Ink of text and axes.
INK = "#414243"
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "mmbnft",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


# Inches of a scatter panel and of the room for labels left of, below and beside it. Measuring the labels instead, as
# constrained layout does, would take most of the time of a report.
_PANEL = (2.3, 2.0)
_COLUMNS = 3
_LEFT, _BELOW, _EDGE = 0.75, 0.5, 0.3
_BETWEEN = (0.25, 0.75)


@dataclass(frozen=True)
class Picture:
    """A drawn figure.

    Attributes:
        name: File name without ending.
        alt: What a person who cannot see it needs to know.
        drawing: SVG without a background.
        png: PNG bytes, on white.
    """

    name: str
    alt: str
    drawing: str
    png: bytes

    def svg(self) -> str:
        """The SVG as a file of its own, on white."""
        ground = '<rect width="100%" height="100%" fill="white"/>'
        return re.sub(r"<svg[^>]*>", rf"\g<0>\n {ground}", self.drawing, count=1)


def pictures(study: Study) -> dict[str, Picture]:
    """Every figure of the report by name: a scatter per task with the target, and heat map, forest and cost."""
    with mpl.rc_context(STYLE):
        found = [
            _scatter(study, task, number)
            for number, task in enumerate(study.scores.tasks)
            if any(len(task.complete([proxy, study.scores.target])) for proxy in study.scores.proxies)
        ]
        if study.scores.is_judged:
            found += [*(_heat_map(study) or ()), *(_forest(study) or ()), *(_costs(study) or ())]
    return {drawn.name: drawn for drawn in found}


def picture(name: str, alt: str, figure: Figure) -> Picture:
    """A figure as SVG and PNG, the same bytes for the same figure.

    Args:
        name: Of its files.
        alt: What it shows, for those who cannot see it.
        figure: The figure.
    """
    svg, png = io.StringIO(), io.BytesIO()
    figure.savefig(svg, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    figure.savefig(png, format="png", dpi=130, facecolor="white", metadata={"Software": None})
    return Picture(name, alt, svg.getvalue(), png.getvalue())


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), layout="constrained")


def _scatter(study: Study, task: TaskScores, number: int) -> Picture:
    proxies, target = study.scores.proxies, study.scores.target
    figure, panels = _panels(len(proxies))
    for i, (axes, proxy) in enumerate(zip(panels, proxies, strict=True)):
        _panel(axes, study, task, i)
        axes.set_xlabel(f"{proxy} (%)" if proxy in study.scores.bounded else proxy)
        axes.set_ylabel(f"{target} (%)" if i % _COLUMNS == 0 else "")
    alt = f"Scatter of each proxy against {target} on {task.name}"
    return picture(f"scatter_{number + 1:02d}", alt, figure)


def _panels(number: int) -> tuple[Figure, list[Axes]]:
    """A figure with this many panels that share the vertical axis."""
    columns = min(_COLUMNS, number)
    rows = math.ceil(number / columns)
    width = _LEFT + columns * _PANEL[0] + (columns - 1) * _BETWEEN[0] + _EDGE
    height = _BELOW + rows * _PANEL[1] + (rows - 1) * _BETWEEN[1] + _EDGE
    figure = Figure(figsize=(width, height))
    grid = figure.add_gridspec(
        rows,
        columns,
        left=_LEFT / width,
        right=1 - _EDGE / width,
        bottom=_BELOW / height,
        top=1 - _EDGE / height,
        wspace=_BETWEEN[0] / _PANEL[0],
        hspace=_BETWEEN[1] / _PANEL[1],
    )
    panels: list[Axes] = []
    for i in range(number):
        panels.append(figure.add_subplot(grid[divmod(i, columns)], sharey=panels[0] if panels else None))
        panels[i].tick_params(labelleft=i % columns == 0)  # the target is the same in all
    return figure, panels


def _panel(axes: Axes, study: Study, task: TaskScores, number: int) -> None:
    """Draw one proxy against the target."""
    proxy, target = study.scores.proxies[number], study.scores.target
    rows = task.complete([proxy, target])
    if not len(rows):
        axes.text(0.5, 0.5, "no checkpoint has both", ha="center", va="center", transform=axes.transAxes)
        return
    x, y = task.means(proxy), task.means(target)
    bars = {p: task.half_widths(p) for p in (proxy, target)}
    colour, marker = _style(proxy, study)
    if any(np.isfinite(half).any() for half in bars.values()):
        xerr, yerr = (bars[p][rows] for p in (proxy, target))
        axes.errorbar(x[rows], y[rows], xerr=xerr, yerr=yerr, fmt="none", ecolor=colour, elinewidth=0.8, alpha=0.6)
    axes.plot(x[rows], y[rows], marker, color=colour, markersize=5)
    axes.margins(0.08)
    axes.locator_params(nbins=4)
    axes.set_title(f"{task.name}, n = {len(rows)}", fontsize=9)


def _style(name: str, study: Study) -> tuple[str, str]:
    """Colour and marker of a protocol."""
    number = mark(name, study.scores.proxies)
    return ("#6b7078", "o") if number < 0 else (PALETTE[number], MATPLOTLIB[SHAPES[number]])


def _heat_map(study: Study) -> list[Picture] | None:
    table = study.correlations[study.correlations["statistic"] == TRUST]
    proxies = [*study.scores.proxies, *(c for c in study.controls if c != RANDOM)]
    tasks = [task.name for task in study.scores.tasks]
    if len(tasks) > 1 and MEAN in set(table["task"]):
        tasks.append(MEAN)
    cells = table.pivot_table(index="task", columns="proxy", values="value", aggfunc="first", dropna=False)
    # What has no correlation, such as a control that is equal for all, would be an empty row or column.
    cells = cells.reindex(index=tasks, columns=proxies).dropna(how="all").dropna(how="all", axis=1)
    if cells.empty:
        return None
    tasks, proxies, grid = list(cells.index), list(cells.columns), cells.to_numpy(float)
    figure = _figure(0.75 * len(proxies) + 2.6, 0.3 * len(grid) + 1.7)
    axes = figure.add_subplot()
    image = axes.imshow(np.ma.masked_invalid(grid), cmap="PuOr", vmin=-1, vmax=1, aspect="auto")
    axes.set_xticks(range(len(proxies)), proxies, rotation=35, ha="right")
    axes.set_yticks(range(len(tasks)), tasks)
    axes.spines[:].set_visible(False)
    for i, j in np.ndindex(grid.shape):
        value = grid[i, j]
        label = "" if math.isnan(value) else f"{value:.2f}"
        dark = not math.isnan(value) and abs(value) > 0.6
        text = axes.text(j, i, label, ha="center", va="center", fontsize=8)
        text.set_color(INK if math.isnan(value) else "white" if dark else "black")
    axes.set_title(f"target {study.scores.target}", fontsize=9)
    figure.colorbar(image, ax=axes, label="Kendall's tau", shrink=0.8)
    return [picture("heat_map", "Heat map of Kendall's tau per task and proxy", figure)]


def _forest(study: Study) -> list[Picture] | None:
    """Differences of tau between proxies over all tasks, or on the only task."""
    table = study.comparisons
    table = table[(table["statistic"] == TRUST) & (table["family"] == "proxies")]
    table = table[table["task"] == (MEAN if len(study.scores.tasks) > 1 else study.scores.tasks[0].name)]
    table = table[table["difference"].notna()].iloc[::-1]
    if table.empty:
        return None
    figure = _figure(6.4, 0.3 * len(table) + 1.1)
    axes = figure.add_subplot()
    axes.axvline(0, color=INK, linewidth=0.8)
    for i, row in enumerate(table.itertuples()):
        colour = PALETTE[1] if row.verdict in (A_BETTER, B_BETTER) else PALETTE[0]
        if not math.isnan(row.ci_low):
            axes.plot([row.ci_low, row.ci_high], [i, i], color=colour, linewidth=1.5)
        axes.plot([row.difference], [i], "o", color=colour, markersize=6)
    axes.set_title(f"target {study.scores.target}, 95 % intervals, n = {table['n'].max()}", fontsize=9)
    axes.set_yticks(
        range(len(table)), [f"{a} \u2212 {b}" for a, b in zip(table["proxy_a"], table["proxy_b"], strict=True)]
    )
    axes.set_xlabel("difference in Kendall's tau (right: the first is better)")
    alt = "Differences of Kendall's tau between pairs of proxies with 95 % intervals"
    return [picture("forest", alt, figure)]


def _costs(study: Study) -> list[Picture] | None:
    table = study.costs[study.costs["cost_seconds"].notna() & study.costs["kendall"].notna()]
    if table.empty:
        return None
    figure = _figure(6.4, 3.6)
    axes = figure.add_subplot()
    front = table[table["pareto"]].sort_values("cost_seconds")
    axes.step(front["cost_seconds"], front["kendall"], where="post", color=INK, linewidth=0.8, linestyle="--")
    for row in table.itertuples():
        colour, marker = _style(str(row.proxy), study)
        if not math.isnan(row.ci_low):
            axes.plot([row.cost_seconds] * 2, [row.ci_low, row.ci_high], color=colour, linewidth=1, alpha=0.6)
        axes.plot([row.cost_seconds], [row.kendall], marker, color=colour)
        axes.annotate(str(row.proxy), (row.cost_seconds, row.kendall), xytext=(6, 3), textcoords="offset points")
    if table["cost_seconds"].min() > 0:
        axes.set_xscale("log")
    axes.set_xlabel("seconds of one run")
    axes.set_ylabel("Kendall's tau, mean over tasks")
    return [picture("cost", "Seconds of one run against Kendall's tau for each proxy", figure)]
