"""The report in Markdown: verdicts, warnings and the main table, for a README or an issue."""

import math
from collections.abc import Mapping

from mmbnft.ranking.correlations import MEAN
from mmbnft.ranking.report.figures import Picture
from mmbnft.ranking.statistics import STATISTICS
from mmbnft.ranking.study import Study


def markdown(study: Study, pictures: Mapping[str, Picture]) -> str:
    """The Markdown text; pictures are linked beside the file."""
    scores = study.scores
    lines = [
        f"# Which proxy predicts {scores.target}?",
        "",
        f"{len(scores.checkpoints)} checkpoints, {len(scores.tasks)} tasks; {study.resamples:,} resamples, "
        f"seed {study.seed}.",
        "",
        *(f"- **{task}**: {sentence}" for task, sentence in study.verdicts.items()),
        "",
        *([study.advice, ""] if study.advice else []),
        *(["## Warnings", "", *(f"- {sentence}" for sentence in study.findings), ""] if study.findings else []),
        "## Correlation with the target (95 % interval)",
        "",
        *_correlations(study),
        "",
        "## Picking by a proxy",
        "",
        *_selection(study),
        "",
        "## Figures",
        "",
        *(f"![{picture.alt}]({picture.name}.svg)" for picture in pictures.values()),
        "",
    ]
    return "\n".join(lines)


def _correlations(study: Study) -> list[str]:
    lines = ["| task | ranker | " + " | ".join(STATISTICS) + " | n |", "| --- " * (len(STATISTICS) + 3) + "|"]
    for (task, proxy), part in study.correlations.groupby(["task", "proxy"], sort=False):
        rows = part.set_index("statistic")
        shown = [_interval(rows.loc[name]) if name in rows.index else "" for name in STATISTICS]
        lines.append(f"| {task} | {proxy} | " + " | ".join(shown) + f" | {part['n'].iloc[0]} |")
    return lines


def _selection(study: Study) -> list[str]:
    lines = ["| task | ranker | k | regret, points | recall of the best | n |", "| --- " * 6 + "|"]
    rows = study.selection[study.selection["regret"].notna() & (study.selection["k"] == 1)]
    overall = rows[rows["task"] == MEAN]
    for row in (overall if len(overall) else rows).itertuples():
        span = "" if math.isnan(row.regret_ci_low) else f" [{row.regret_ci_low:.2f}, {row.regret_ci_high:.2f}]"
        lines.append(f"| {row.task} | {row.proxy} | {row.k} | {row.regret:.2f}{span} | {row.recall:.2f} | {row.n} |")
    return lines


def _interval(row: Mapping[str, float]) -> str:
    if math.isnan(row["value"]):
        return "gap"
    span = "" if math.isnan(row["ci_low"]) else f" [{row['ci_low']:.2f}, {row['ci_high']:.2f}]"
    return f"{row['value']:.2f}{span}"
