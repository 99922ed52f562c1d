"""What each few-shot method gains over the linear head, as a picture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmbnft.ranking.report.figures import INK, PALETTE, STYLE, Picture, picture

if TYPE_CHECKING:
    from mmbnft.fewshot.report import Board


def gains_picture(boards: "Sequence[Board]", reference: str) -> Picture | None:
    """Differences from `reference` on the same episodes, one panel for each method and one row for each board.

    A diamond is the mean over checkpoints with its 95 % interval over episodes, a dot one checkpoint.

    Args:
        boards: Results by task, episodes and recipe.
        reference: Method that the others are compared with.

    Returns:
        The picture; None if no board has the reference and another method.
    """
    boards = [board for board in boards if reference in board.methods and len(board.methods) > 1]
    methods = list(dict.fromkeys(method for board in boards for method in board.methods if method != reference))
    if not methods:
        return None
    with mpl.rc_context(STYLE):
        size = (1.6 + 2.4 * len(methods), 0.9 + 0.32 * len(boards))
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(1, len(methods), sharex=True, sharey=True, squeeze=False)[0]
        for axes, method in zip(panels, methods, strict=True):
            draw_panel(axes, boards, method, reference)
        panels[0].set_yticks(range(len(boards)), _names(boards))
        panels[0].set_ylim(len(boards) - 0.5, -0.5)
        figure.supxlabel(f"points above {reference}", fontsize=9)
        return picture("few_shot", f"Gain of {', '.join(methods)} over {reference} on the same episodes", figure)


def draw_panel(axes: Axes, boards: "Sequence[Board]", method: str, reference: str) -> None:
    """Draw the differences of one method from the reference, a row for each board that has both."""
    axes.axvline(0, color=INK, linewidth=0.6)
    axes.set_title(method, fontsize=9)
    for place, board in enumerate(boards):
        mean = board.overall(method, reference)
        if mean is None:
            continue
        cells = board.accuracies
        gains = [np.mean(cells[c, method] - cells[c, reference]) for c in board.shared(method, reference)]
        axes.plot(gains, [place] * len(gains), "o", color=PALETTE[0], alpha=0.35, markersize=4, markeredgewidth=0)
        axes.hlines(place, mean.low, mean.high, color=PALETTE[0], linewidth=1.4)
        axes.plot([mean.value], [place], "D", color=PALETTE[0], markersize=5)


def _names(boards: "Sequence[Board]") -> list[str]:
    """Task, way and shots of each board, with its recipe where there are several."""
    recipes = {board.recipe for board in boards}
    return [
        f"{board.task}, {board.settings.n_way}-way {board.settings.k_shot}-shot"
        + (f", {board.recipe}" if len(recipes) > 1 else "")
        for board in boards
    ]
