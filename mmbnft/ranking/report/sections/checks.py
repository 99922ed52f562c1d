"""The checks that fired."""

import pandas as pd

from mmbnft.ranking.checks import Finding
from mmbnft.ranking.report.section import Section, Shown, text
from mmbnft.ranking.study import Study
from mmbnft.utils.wording import counted

COLUMNS = ("code", "level", "title", "sentence")


def by_kind(study: Study) -> list[tuple[Finding, list[str]]]:
    """One finding of each kind, the worst first, with every sentence of its kind."""
    found: dict[str, tuple[Finding, list[str]]] = {}
    for finding in study.findings:
        found.setdefault(finding.code, (finding, []))[1].append(finding.sentence)
    return list(found.values())


def _table(study: Study) -> pd.DataFrame:
    rows = [(finding.code, finding.level, finding.title, finding.sentence) for finding in study.findings]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _shown(study: Study, _: str) -> Shown:
    rows = [[text(f.code), text(f.level), text(f.title), text(f.sentence)] for f in study.findings]
    return Shown(["code", "level", "check", "found"], rows)


def _sentence(study: Study) -> str:
    kinds = by_kind(study)
    if not kinds:
        return "No check fired."
    named = "; ".join(
        one.title if len(all_of_it) == 1 else f"{one.title} ({len(all_of_it)})" for one, all_of_it in kinds
    )
    return f"{counted(len(kinds), 'check')} fired: {named}."


SECTION = Section(
    order=30,
    name="checks",
    title="Checks",
    columns=COLUMNS,
    table=_table,
    shown=_shown,
    sentence=_sentence,
    overall=("",),
)
