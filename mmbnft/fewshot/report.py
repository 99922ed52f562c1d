"""Tables of few-shot results in Markdown, and paired comparisons on the same episodes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmbnft.fewshot.episode_settings import EpisodeSettings
from mmbnft.fewshot.intervals import Array, Difference, half_width, paired_difference
from mmbnft.fewshot.methods import ON_FEATURES
from mmbnft.ranking.comparison import A_BETTER, B_BETTER, NOT_SEPARABLE, holm, verdict
from mmbnft.results import Result
from mmbnft.utils import files
from mmbnft.utils.errors import UserError

# What other methods are compared with: the linear heads, one trained in the same steps, one to its optimum.
REFERENCES = ("linear", "logistic")


@dataclass(frozen=True)
class Comparison:
    """A first and a second arm on the same episodes.

    Attributes:
        first: Name of a method or a checkpoint.
        second: Name of the other.
        difference: First minus second, percentage points.
        p_adjusted: Two-sided p-value, adjusted over the comparisons made together (Holm).
        verdict: `a better`, `b better` or `not separable`.
    """

    first: str
    second: str
    difference: Difference
    p_adjusted: float
    verdict: str


@dataclass(frozen=True)
class Board:
    """Successful results on one manifest under one recipe.

    Attributes:
        task: Task name.
        settings: What determines the episodes.
        recipe: Recipe name.
        manifest: Hex hash of the episodes.
        accuracies: (checkpoint, method) to accuracies (E,) in percent.
        diverged: (checkpoint, method) to the numbers of episodes that diverged, where there are any.
    """

    task: str
    settings: EpisodeSettings
    recipe: str
    manifest: str
    accuracies: dict[tuple[str, str], Array]
    diverged: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    @property
    def checkpoints(self) -> list[str]:
        """Names in order."""
        return sorted({checkpoint for checkpoint, _ in self.accuracies})

    @property
    def methods(self) -> list[str]:
        """Names, those on frozen features first."""
        names = {method for _, method in self.accuracies}
        return [name for name in ON_FEATURES if name in names] + sorted(names - set(ON_FEATURES))

    def shared(self, first: str, second: str) -> list[str]:
        """Checkpoints that have results by both methods."""
        return [c for c in self.checkpoints if {(c, first), (c, second)} <= set(self.accuracies)]

    def compare_methods(self, first: str, second: str) -> list[Comparison]:
        """Two methods on each checkpoint that has both; `first` of a comparison is the checkpoint's name."""
        cells = self.accuracies
        return _compared([(c, c, cells[c, first], cells[c, second]) for c in self.shared(first, second)])

    def compare_with_best(self, method: str) -> list[Comparison]:
        """The checkpoint with the highest mean under a method against each other one."""
        rows = {c: self.accuracies[c, method] for c in self.checkpoints if (c, method) in self.accuracies}
        best = max(rows, key=lambda c: float(rows[c].mean()))
        return _compared([(best, other, rows[best], rows[other]) for other in rows if other != best])

    def overall(self, first: str, second: str) -> Difference | None:
        """Two methods averaged over the checkpoints that have both, paired by episode; None if there are none."""
        if not (shared := self.shared(first, second)):
            return None
        means = [np.mean([self.accuracies[c, m] for c in shared], axis=0) for m in (first, second)]
        return paired_difference(*means)


def _compared(pairs: list[tuple[str, str, Array, Array]]) -> list[Comparison]:
    differences = [paired_difference(a, b) for _, _, a, b in pairs]
    adjusted = holm([difference.p_value for difference in differences])
    return [
        Comparison(first, second, d, p, verdict(d.value, d.low, d.high, p))
        for (first, second, _, _), d, p in zip(pairs, differences, adjusted, strict=True)
    ]


def boards(results: Sequence[Result]) -> list[Board]:
    """Successful few-shot results by task, episodes and recipe; other results are passed over.

    Raises:
        UserError: There is no few-shot result, or one checkpoint stands twice.
    """
    found: dict[tuple[str, str, str], Board] = {}
    for result in sorted(results, key=lambda r: (r.task, r.details.get("episodes", {}).get("k_shot", 0))):
        if result.status != "ok" or "accuracies" not in result.details:
            continue
        details = result.details
        where = (result.task, details["manifest"], result.recipe)
        settings = EpisodeSettings.from_config(details["episodes"])
        board = found.setdefault(where, Board(result.task, settings, result.recipe, details["manifest"], {}))
        cell = (result.checkpoint, details["config"]["method"])
        if cell in board.accuracies:
            raise UserError(f"{cell[1]} of {cell[0]} on {result.task} appears twice; use results of one version only")
        board.accuracies[cell] = np.array(details["accuracies"], float)
        if details.get("diverged_episodes"):
            board.diverged[cell] = list(details["diverged_episodes"])
    if not found:
        raise UserError("there is no successful few-shot result to show; run mmbnft few-shot first")
    return list(found.values())


def write_report(results: Sequence[Result], path: Path | None = None) -> str:
    """Tables of all results as Markdown, written to `path`, if there is one, below a picture of the differences.

    The picture, an SVG file beside it, is of the first of `REFERENCES` that the results have.

    Raises:
        UserError: As for `boards`, or the file cannot be written.
    """
    failed = [r for r in results if r.status == "failed"]
    only_failed = bool(failed) and len(failed) == len(results)
    found = [] if only_failed else boards(results)
    parts = [_board(board) for board in found]
    if failed:
        parts.append(
            "\n".join(["Failed:", "", *(f"- {r.checkpoint} {r.task} {r.protocol}: {r.reason}" for r in failed)])
        )
    text = "\n\n".join(parts) + "\n"
    if path is not None:
        files.write_text(path, _with_picture(found, path) + text)
    return text


def _with_picture(found: Sequence[Board], path: Path) -> str:
    """Draw the differences beside `path`; the lines that show them, if there are any."""
    from mmbnft.fewshot.figure import gains_picture  # loads Matplotlib, which only drawing needs

    reference = next((name for name in REFERENCES if any(name in board.methods for board in found)), "")
    drawn = gains_picture(found, reference)
    if drawn is None:
        return ""
    files.write_text(path.with_suffix(".svg"), drawn.svg())
    return f"![{drawn.alt}]({path.with_suffix('.svg').name})\n\n"


def summary(results: Sequence[Result]) -> str:
    """Mean accuracies of all successful results as aligned text, narrow enough for a terminal; empty if there are none.

    Args:
        results: Results of a few-shot benchmark.
    """
    if not any(result.status == "ok" for result in results):
        return ""
    return "\n\n".join(_summary(board) for board in boards(results))


def _summary(board: Board) -> str:
    settings, methods = board.settings, board.methods
    widest = max(half_width(values) for values in board.accuracies.values())
    rows = [["", *methods]]
    for checkpoint in board.checkpoints:
        cells = (board.accuracies.get((checkpoint, method)) for method in methods)
        rows.append([checkpoint, *("-" if values is None else f"{values.mean():.1f}" for values in cells)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    problem = f"{board.task}, {settings.n_way}-way {settings.k_shot}-shot"
    table = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
    return "\n".join([f"{problem}: mean accuracy in %, each ± {widest:.1f} at most", *table, *_diverged(board)])


def _diverged(board: Board) -> list[str]:
    """One line for each run of which episodes diverged."""
    return [
        f"- {method} of {checkpoint} diverged in {len(numbers)} of {len(board.accuracies[checkpoint, method])} "
        f"episodes, which count as chance: {', '.join(map(str, numbers[:10]))}{', ...' if len(numbers) > 10 else ''}."
        for (checkpoint, method), numbers in sorted(board.diverged.items())
    ]


def _board(board: Board) -> str:
    settings = board.settings
    count = len(next(iter(board.accuracies.values())))
    lines = [
        f"### {board.task}, {settings.n_way}-way {settings.k_shot}-shot",
        "",
        f"Mean accuracy in percent and half of its classical 95 % interval over {count} "
        f"{'disjoint ' if settings.disjoint else ''}episodes with {settings.queries} queries per class; recipe "
        f"{board.recipe}, episodes {board.manifest[:12]}.",
        "",
        "| checkpoint | " + " | ".join(board.methods) + " |",
        "| --- |" + " ---: |" * len(board.methods),
    ]
    for checkpoint in board.checkpoints:
        cells = (board.accuracies.get((checkpoint, method)) for method in board.methods)
        shown = ["" if values is None else f"{values.mean():.2f} ± {half_width(values):.2f}" for values in cells]
        lines.append(f"| {checkpoint} | " + " | ".join(shown) + " |")
    for reference in REFERENCES:
        if reference in board.methods and len(board.methods) > 1:
            lines += _between_methods(board, reference)
    diverged = _diverged(board)
    return "\n".join([*lines, *_between_checkpoints(board), *(["", *diverged] if diverged else [])])


def _between_methods(board: Board, reference: str) -> list[str]:
    """What each method gains over the reference, checkpoint by checkpoint and on average."""
    lines = [
        "",
        f"| minus {reference} | on average over checkpoints | better | not separable | worse |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for method in board.methods:
        overall = board.overall(method, reference) if method != reference else None
        if overall is not None:
            verdicts = [comparison.verdict for comparison in board.compare_methods(method, reference)]
            counts = " | ".join(str(verdicts.count(kind)) for kind in (A_BETTER, NOT_SEPARABLE, B_BETTER))
            lines.append(f"| {method} | {_signed(overall)} | {counts} |")
    return lines


def _between_checkpoints(board: Board) -> list[str]:
    lines = []
    for method in board.methods if len(board.checkpoints) > 1 else []:
        comparisons = board.compare_with_best(method)
        if comparisons:
            alike = [comparison.second for comparison in comparisons if comparison.verdict == NOT_SEPARABLE]
            behind = f"not separable from it: {', '.join(alike)}" if alike else "all others are behind it"
            lines.append(f"- Best by {method}: {comparisons[0].first}; {behind}.")
    return ["", *lines] if lines else []


def _signed(difference: Difference) -> str:
    return f"{difference.value:+.2f} [{difference.low:+.2f}, {difference.high:+.2f}]"
