"""An analysis on disk: one page that needs nothing else, a CSV file for each table, an SVG file for each figure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import jinja2
import pandas as pd
from matplotlib.figure import Figure

from mmbnft.analysis.figures import MOST_RUNS, as_svg, figures
from mmbnft.analysis.findings import (
    Run,
    curve_table,
    gain_table,
    layer_table,
    movement_table,
    prediction_table,
    run_table,
    size_table,
    speed_table,
    stage_table,
    steadiness_table,
)
from mmbnft.analysis.protocol_gains import protocol_table
from mmbnft.utils import files

# The page shows the first rows of a table; its CSV file has all of them.
MOST_ROWS = 200


@dataclass(frozen=True)
class Part:
    """One section of the page, and the CSV file of its name.

    Attributes:
        name: Of the file.
        title: Heading.
        text: What the table and the figure show.
        table: Every row.
        figure: Name of the figure that belongs to it.
        folded: Whether the page shows the table closed.
    """

    name: str
    title: str
    text: str
    table: pd.DataFrame
    figure: str = ""
    folded: bool = False

    @property
    def head(self) -> list[str]:
        """Titles of the columns that hold anything."""
        return [str(name).replace("_", " ") for name in self._shown.columns]

    @property
    def rows(self) -> list[list[str]]:
        """Cells of the first `MOST_ROWS` rows as people see them."""
        shown = self._shown.head(MOST_ROWS).astype(object)
        return [[_cell(value) for value in row] for row in shown.itertuples(index=False)]

    @property
    def _shown(self) -> pd.DataFrame:
        # What is to be noted stands at the top of the page.
        return self.table.replace("", None).dropna(axis=1, how="all").drop(columns="note", errors="ignore")


TEXTS = {
    "runs": "Value on test, gain over the linear probe of the same checkpoint, and how far the norm layers moved. "
    "batch statistics: the value if batch norm used the statistics of each batch instead of the running ones.",
    "protocols": "Gain over the linear probe of the same checkpoint, task, split and seed, in points: mean over seeds, "
    "checkpoints and tasks, with a 95 % interval from resampled checkpoints and tasks. Dots: single tasks.",
    "gains": "Spearman's correlation across runs with its 95 % interval (resampled runs). Needs at least 4 runs "
    "with a linear probe of the same checkpoint.",
    "predictions": "Other metrics and calibration from the stored class scores; the interval resamples test images. "
    "calibration error: expected difference between confidence and accuracy, 15 bins. Above: confusion by true class; "
    "below: accuracy by confidence.",
    "layers": "How far each layer moved. flipped: channels whose parameter changed sign; died, revived: channels "
    "whose weight fell below 0.001, or rose above it; kl: symmetric Kullback-Leibler divergence between the Gaussians "
    "of the running statistics, mean over channels.",
    "features": "Pooled features of test images by stage. fisher: between-class over within-class scatter; "
    "silhouette by Euclidean distance; effective rank: RankMe; sparsity: Hoyer's; cka: linear centred kernel alignment "
    "between before and after.",
    "maps": "Pooled features of test images in two dimensions, coloured by class.",
    "curves": "Training loss, and val where it was evaluated (--val-interval 1 with recipe.fit_on=train). Of more than "
    f"{MOST_RUNS} runs the picture shows the mean loss of each protocol on each task, and the middle half of the runs.",
    "movement": "Relative change of the parameters of each part within each epoch (norm of the change over norm "
    "before), over all phases: what moves first and what follows.",
    "sizes": "Share of the parameters of each part by the size of their change within an epoch, as a multiple of the "
    "root mean square of their tensor before.",
    "steadiness": "How steadily a part moves: standard deviation of log10 of its relative change, over the epochs of a "
    "run and over runs that differ only in seed.",
    "speed": "Epochs until val first reached a share of the best value of any of these runs on the task; empty "
    "if it never did.",
}


def parts(runs: Sequence[Run]) -> list[Part]:
    """The sections that the runs allow, in the order of the page."""
    table = run_table(runs)
    every = [
        ("runs", "Runs", table, "", False),
        ("protocols", "What each protocol gains", protocol_table([run.result for run in runs]), "protocols", False),
        ("gains", "Does moving further gain more?", gain_table(table), "", False),
        ("predictions", "Predictions on test", prediction_table(runs), "predictions", False),
        ("layers", "Norm layers", layer_table(runs), "layer_profiles", True),
        ("features", "Features before and after", stage_table(runs), "stages", True),
        ("maps", "Maps of the features", pd.DataFrame(), "maps", False),
        ("curves", "Learning curves", curve_table(runs), "curves", True),
        ("movement", "Which parts move when", movement_table(runs), "movement", True),
        ("sizes", "Size of parameter changes", size_table(runs), "sizes", True),
        ("steadiness", "How steadily parts move", steadiness_table(runs), "", True),
        ("speed", "Epochs to reach an accuracy on val", speed_table(runs), "", False),
    ]
    return [Part(name, title, TEXTS[name], rows, figure, folded) for name, title, rows, figure, folded in every]


@dataclass(frozen=True)
class Analysis:
    """What some runs have to say, ready to be written.

    Attributes:
        parts: The sections that hold anything.
        figures: By name.
        sentences: What is said first, and the warnings.
    """

    parts: list[Part]
    figures: dict[str, Figure]
    sentences: list[str]


def compose(runs: Sequence[Run]) -> Analysis:
    """Tables, figures and sentences of what was found."""
    drawn = figures(runs)
    found = [part for part in parts(runs) if len(part.table) or part.figure in drawn]
    return Analysis(found, drawn, sentences(runs, run_table(runs)))


def write_analysis(analysis: Analysis, folder: Path) -> Path:
    """Write `analysis.html`, the tables as CSV and the figures as SVG, each atomically.

    Args:
        analysis: What to write.
        folder: Where to.

    Returns:
        The path of the page.
    """
    drawn = {name: as_svg(figure) for name, figure in analysis.figures.items()}
    for part in analysis.parts:
        if len(part.table):
            files.write_text(folder / f"{part.name}.csv", part.table.to_csv(index=False, lineterminator="\n"))
    for name, svg in drawn.items():
        files.write_text(folder / f"{name}.svg", svg)
    style = resources.files("mmbnft.ranking.report").joinpath("page.css").read_text("utf-8")
    page = resources.files(__package__).joinpath("page.html").read_text("utf-8")
    surroundings = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    own = {name: _own_ids(name, svg) for name, svg in drawn.items()}
    text = surroundings.from_string(page).render(
        style=style, parts=analysis.parts, figures=own, sentences=analysis.sentences
    )
    files.write_text(folder / "analysis.html", text)
    return folder / "analysis.html"


def sentences(runs: Sequence[Run], table: pd.DataFrame) -> list[str]:
    """What the page says first, and the warnings."""
    gains = pd.to_numeric(table["gain"]).dropna()
    named = ", ".join(run.name for run in runs[:6]) + (" and more" if len(runs) > 6 else "")
    first = f"{len(runs)} run{'' if len(runs) == 1 else 's'}: {named}."
    if len(gains):
        share = f"{(gains > 0).sum()} of {len(gains)} above 0"
        first += f" Gain over the linear probe: {gains.mean():+.2f} points on average, {share}."
    notes: dict[str, list[str]] = {}
    for run, note in zip(table["run"], table["note"], strict=True):
        if note:
            notes.setdefault(note, []).append(run)
    shown = {note: names[0] if len(names) == 1 else f"{len(names)} runs" for note, names in notes.items()}
    return [first, *(f"{who}: {note}." for note, who in shown.items())]


def _own_ids(name: str, svg: str) -> str:
    """The SVG with ids that no other figure of the page has."""
    for mark in ('id="', 'href="#', "url(#"):
        svg = svg.replace(mark, f"{mark}{name}-")
    return svg


def _cell(value: object) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
