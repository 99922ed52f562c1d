"""How stable the order of the checkpoints is, and how many tasks or seeds would settle it."""

import math

import pandas as pd

from mmbnft.ranking.merits import SETTLED, Stability
from mmbnft.ranking.report.section import Cell, Section, Shown, interval, rounded, text, whole
from mmbnft.ranking.study import Study

ENDS = ("", "_low", "_high")
COLUMNS = ("over", "count", *(f"{name}{end}" for name in ("agreement", "reliability", "needed") for end in ENDS))


def _table(study: Study) -> pd.DataFrame:
    rows = [(kind, s.rows, *s.agreement, *s.reliability, *s.needed) for kind, s in study.stability.items()]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _shown(study: Study, _: str) -> Shown:
    rows = [
        [text(kind), whole(s.rows), interval(*s.agreement), interval(*s.reliability), _needed(s)]
        for kind, s in study.stability.items()
    ]
    wanted = f"needed for reliability {SETTLED}"
    return Shown(["order over", "number", "mean Spearman correlation between two", "reliability", wanted], rows)


def _needed(stable: Stability) -> Cell:
    value, low, high = (math.inf if math.isnan(x) else x for x in stable.needed)
    span = "" if math.isnan(stable.needed[1]) else f" [{_count(low)}, {_count(high)}]"
    return Cell(f"{_count(value)}{span}", value if math.isfinite(value) else "")


def _count(number: float) -> str:
    return f"{number:.0f}" if math.isfinite(number) else "\u221e"


def _sentence(study: Study) -> str:
    said = []
    for kind, s in study.stability.items():
        value, low, high = s.reliability
        span = "" if math.isnan(low) else f" [{rounded(low, 2)}, {rounded(high, 2)}]"
        more = s.needed[0] - s.rows
        following = "it is settled" if more <= 0 else f"no number of {kind} would settle it"
        if math.isfinite(more) and more > 0:
            following = f"about {more:.0f} more {kind} would bring it to {SETTLED} (Spearman-Brown)"
        said.append(
            f"Over {s.rows} {kind}, the order by {study.leaderboard.by} has reliability {value:.2f}{span}; {following}."
        )
    return " ".join(said)


SECTION = Section(
    order=65,
    name="stability",
    title="How stable the order is",
    columns=COLUMNS,
    table=_table,
    shown=_shown,
    sentence=_sentence,
    overall=("",),
)
