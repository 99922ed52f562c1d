"""The report in Markdown, for a README or an issue: every section's sentence and table."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mmbnft.ranking.correlations import MEAN
from mmbnft.ranking.report.section import Section, Shown
from mmbnft.ranking.study import Study
from mmbnft.utils.wording import counted

if TYPE_CHECKING:
    from mmbnft.ranking.report.figures import Picture


def markdown(study: Study, parts: Sequence[Section], pictures: "Mapping[str, Picture]") -> str:
    """The Markdown text; pictures are linked beside the file.

    Args:
        study: What was found.
        parts: The sections.
        pictures: Figures by name.
    """
    scores = study.scores
    lines = [
        "# Ranking of checkpoints",
        "",
        f"{counted(len(scores.checkpoints), 'checkpoint')}, {counted(len(scores.tasks), 'task')}, "
        f"target {scores.target}; {study.resamples:,} resamples, seed {study.seed}.",
        "",
    ]
    for part in parts:
        lines += _section(study, part, pictures)
    verdicts = [f"- **{task}**: {said}" for task, said in study.verdicts.items() if task != MEAN]
    return "\n".join([*lines, *(["## Verdict per task", "", *verdicts, ""] if verdicts else [])])


def _section(study: Study, part: Section, pictures: "Mapping[str, Picture]") -> list[str]:
    only = study.scores.tasks[0].name
    tables = part.parts(study)
    if part.has_tasks and len(study.scores.tasks) == 1:
        tables = [("", table) for table in (part.shown(study, only),) if table.rows]
    if not tables:
        return []
    lines = [f"## {part.title}", ""]
    lines += [part.sentence(study), ""] if part.sentence(study) else []
    for heading, table in tables:
        lines += ([f"### {heading}", ""] if heading else []) + [*_table(table), ""]
    for name in part.pictures:
        lines += [f"![{pictures[name].alt}]({name}.svg)", ""] if name in pictures else []
    return lines


def _table(table: Shown) -> list[str]:
    head = ["| " + " | ".join(table.head) + " |", "| --- " * len(table.head) + "|"]
    return [*head, *("| " + " | ".join(cell.text.replace("|", "\\|") for cell in row) + " |" for row in table.rows)]
