"""The checks that fired."""

import pandas as pd

from mmbnft.ranking.report.section import Section, Shown, text
from mmbnft.ranking.study import Study

COLUMNS = ("code", "title", "sentence")


def _table(study: Study) -> pd.DataFrame:
    rows = [(finding.code, finding.title, finding.sentence) for finding in study.findings]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _shown(study: Study, _: str) -> Shown:
    rows = [[text(finding.code), text(finding.title), text(finding.sentence)] for finding in study.findings]
    return Shown(["code", "check", "found"], rows)


def _sentence(study: Study) -> str:
    if not study.findings:
        return "No check fired."
    counts: dict[str, int] = {}
    for finding in study.findings:
        counts[finding.title] = counts.get(finding.title, 0) + 1
    kinds = "; ".join(title if n == 1 else f"{title} ({n})" for title, n in counts.items())
    return f"{len(counts)} checks fired: {kinds}. docs/checks.md explains each."


SECTION = Section(
    order=30,
    name="checks",
    title="Checks",
    columns=COLUMNS,
    table=_table,
    shown=_shown,
    sentence=_sentence,
    overall=("",),
    folded=True,
)
