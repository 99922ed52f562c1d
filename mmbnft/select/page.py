"""What a person gets of a selection: sentences, one page with the race drawn, and everything as JSON."""

import html
import json
from collections.abc import Sequence
from importlib import resources
from typing import Any

import jinja2
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from mmbnft.grid.estimate import duration
from mmbnft.ranking.report.figures import INK, PALETTE, STYLE, Picture, picture
from mmbnft.select.driver import Selected
from mmbnft.utils.wording import counted

HEAD = (
    "checkpoint",
    "P(best)",
    "close to the best",
    "expected on val",
    "runs",
    "longest",
    "last on val",
    "dropped out",
)
# Checkpoints in a colour of their own; more colours would be hard to distinguish.
COLOURED = len(PALETTE)


def sentences(found: Selected, command: Sequence[str], extended: str, regret: float) -> list[str]:
    """The answer in words: pick, regret, tier, cost, test, and what one more run would buy.

    Args:
        found: The selection.
        command: The command that was given.
        extended: Budget of the command that continues by one run.
        regret: Points of regret that were allowed.
    """
    verdict, names = found.verdict, found.runs.checkpoints
    pick = names[verdict.pick]
    told = [
        f"Take {pick}: P(best) {verdict.best[verdict.pick]:.2f}, expected regret {verdict.regret:.2f} points "
        f"(95 % upper bound {verdict.upper:.2f}); stopped because {found.reason}."
    ]
    tier = found.tier
    told.append(
        f"Not separable from the best: {', '.join(tier)}." if len(tier) > 1 else "No other checkpoint comes close."
    )
    told.append(_cost(found))
    final = found.final
    if final is not None and final.value is not None:
        told.append(f"{pick} on test, evaluated once, after all choices on val: {final.metric} {final.shown_value}.")
    elif final is not None:
        told.append(f"{pick} could not be evaluated on test: {final.reason}; the same command retries it.")
    if found.further is not None:
        one = found.further
        # What the race would stop before has to be allowed to go on.
        allowed = f" --regret {verdict.regret / 2:.2g}" if verdict.regret < regret else ""
        told.append(
            f"One more run, {names[one.checkpoint]} at {100 * one.share:.0f} % of the length, is expected to lower the "
            f"regret by {one.worth:.2f} points: {' '.join(command)} --budget {extended}{allowed}"
        )
    told.append(f"Prior: {found.relatives}.")
    told += [f"{one}." for one in found.rungs]
    return told


def _cost(found: Selected) -> str:
    spent, count = found.spent, len(found.runs.checkpoints)
    all_seconds = (spent.whole_seconds or 0.0) * count
    return (
        f"{counted(len(spent.trainings), 'training run')} and the proxies took {duration(spent.seconds)} of compute, "
        f"{100 * spent.whole / count:.0f} % of about {duration(all_seconds)} for fine-tuning all {count}; the pick's "
        "final run comes on top."
    )


def page(found: Selected, told: Sequence[str], regret: float) -> str:
    """The whole HTML text.

    Args:
        found: The selection.
        told: Its `sentences`.
        regret: Points of regret that were allowed.
    """
    style = resources.files("mmbnft.ranking.report").joinpath("page.css").read_text("utf-8")
    template = resources.files(__package__).joinpath("page.html").read_text("utf-8")
    surroundings = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return surroundings.from_string(template).render(
        pick=found.runs.checkpoints[found.verdict.pick],
        task=found.runs.task,
        target=found.runs.target,
        checkpoints=len(found.runs.checkpoints),
        val_images=found.runs.val_images,
        sentences=told,
        picture=_inline(race_picture(found)),
        head=HEAD,
        rows=_rows(found),
        regret=f"{regret:g}",
        style=style,
    )


def content(found: Selected, told: Sequence[str]) -> str:
    """Everything as JSON text."""
    verdict, names = found.verdict, found.runs.checkpoints
    by_name: dict[str, Any] = {
        name: {"p_best": float(verdict.best[n]), "p_close": float(verdict.close[n]), "left": _left(found, n)}
        for n, name in enumerate(names)
    }
    return json.dumps(
        {
            "task": found.runs.task,
            "target": found.runs.target,
            "pick": names[verdict.pick],
            "p_best": float(verdict.best[verdict.pick]),
            "expected_regret": verdict.regret,
            "interval": [0.0, verdict.upper],
            "tier": found.tier,
            "reason": found.reason,
            "seconds": found.spent.seconds,
            "whole_trainings": found.spent.whole,
            "share_of_all": found.spent.whole / len(names),
            "test": None if found.final is None else found.final.value,
            "checkpoints": by_name,
            "trainings": [
                {"checkpoint": names[n], "share": share, "val": value, "cost": cost}
                for n, share, value, cost in found.trainings
            ],
            "sentences": list(told),
        },
        indent=1,
    )


def _left(found: Selected, number: int) -> str:
    return next((step.left[number] for step in found.steps if number in step.left), "")


def _rows(found: Selected) -> list[tuple[str, ...]]:
    verdict, rows = found.verdict, list[tuple[str, ...]]()
    for number in sorted(range(len(found.runs.checkpoints)), key=lambda n: -verdict.best[n]):
        own = [(share, value) for n, share, value, _ in found.trainings if n == number]
        longest = f"{100 * max(share for share, _ in own):.0f} %" if own else ""
        rows.append(
            (
                found.runs.checkpoints[number],
                f"{verdict.best[number]:.2f}",
                f"{verdict.close[number]:.2f}",
                f"{found.mean[number]:.1f}" if np.isfinite(found.mean[number]) else "",
                str(len(own)),
                longest,
                f"{own[-1][1]:.1f}" if own else "",
                _left(found, number),
            )
        )
    return rows


def _inline(drawn: Picture) -> str:
    """The SVG for the page, in the page's own text colour."""
    svg = drawn.drawing[drawn.drawing.index("<svg") :].replace(INK, "currentColor")
    return svg.replace("<svg ", f'<svg role="img" aria-label="{html.escape(drawn.alt)}" ', 1)


def race_picture(found: Selected) -> Picture:
    """Value on val against cost, one line for each checkpoint, a cross where it dropped out."""
    names, verdict = found.runs.checkpoints, found.verdict
    count = len(names)
    ends = {n: step.cost for step in found.steps for n in step.left}
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 3.6), layout="constrained")
        axes = figure.subplots()
        order = sorted(range(count), key=lambda n: -verdict.best[n])
        for place, number in enumerate(order):
            own = [(cost / count, value) for n, _, value, cost in found.trainings if n == number]
            if not own:
                continue
            x, y = [100 * cost for cost, _ in own], [value for _, value in own]
            colour = PALETTE[place] if place < COLOURED else "#9aa0a8"
            (line,) = axes.plot(x, y, "-o", color=colour, markersize=4, linewidth=1, label=names[number])
            line.set_gid(f"race_{number}")
            if number in ends:
                axes.plot(100 * ends[number] / count, y[-1], "x", color=colour, markersize=7)
        axes.set_xlabel("cost, % of fine-tuning all")
        axes.set_ylabel(f"{found.runs.target} on val, %")
        axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
        alt = f"Value of each run on val against cost; {names[verdict.pick]} is the pick"
        return picture("race", alt, figure)
