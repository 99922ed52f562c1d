"""On which scale values are: percent, fractions of 1, or scores without a scale."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from mmbnft.ranking.checks import Finding
from mmbnft.utils.errors import UserError

AUTO, PERCENT, FRACTION, SCORE = "auto", "percent", "fraction", "score"
METRIC_SCALES = (AUTO, PERCENT, FRACTION)
# Training-free scores: no values of theirs are percentages, whatever range they happen to lie in.
UNBOUNDED = frozenset(("logme", "hscore", "nleep", "leep", "transrate", "sfda", "gbc"))
# Fewer values than this do not tell fractions from percentages below 1.
_FEWEST = 3
# No accuracy of a whole set of checkpoints stays below this many percent, but losses and scores do.
_SMALL = 10


def on_one_scale(
    frame: pd.DataFrame, target: str, metric_scale: str = AUTO
) -> tuple[pd.DataFrame, frozenset[str], list[Finding]]:
    """Bring every percentage to 0-100, per task and protocol.

    What the rows state in the column `scale` (`percent`, `fraction`, `score`) holds. Where they state nothing, the
    scale is `metric_scale`, or guessed with `auto`: a guess that is not obvious is reported.

    Args:
        frame: Columns `checkpoint,task,protocol,value` and optionally `scale` and `spread`; values are numbers.
        target: Protocol to be predicted.
        metric_scale: `auto`, `percent` or `fraction`.

    Returns:
        The rows in percent, the names of the protocols that are percentages, and what was guessed.

    Raises:
        UserError: The target is not a percentage, or `metric_scale` is unknown or contradicts it.
    """
    if metric_scale not in METRIC_SCALES:
        raise UserError(f"metric scale must be auto, percent or fraction, got {metric_scale!r}")
    stated = frame["scale"].fillna("").astype(str).str.strip().str.lower() if "scale" in frame else _nothing(frame)
    unknown = stated[~stated.isin(["", PERCENT, FRACTION, SCORE])]
    if len(unknown):
        raise UserError(f"scale {unknown.iloc[0]!r} is unknown; the column scale may say percent, fraction or score")
    scale, guesses = stated.copy(), _Guesses()
    for protocol, part in frame.groupby("protocol", sort=True):
        scale[part.index] = _scales(str(protocol), part, stated[part.index], metric_scale, target, guesses)
    _refuse_target(frame, scale, target, metric_scale)
    factor = np.where(scale == FRACTION, 100.0, 1.0)
    scaled = {name: frame[name] * factor for name in ("value", "spread", "standard_error") if name in frame}
    bounded = frozenset(set(frame["protocol"]) - set(frame.loc[scale == SCORE, "protocol"]))
    return frame.assign(**scaled), bounded, guesses.findings()


def turned(frame: pd.DataFrame, names: Iterable[str], bounded: frozenset[str]) -> pd.DataFrame:
    """Turn protocols in which lower is better: percentages to 100 minus the value, scores to minus the value.

    Args:
        frame: Columns `protocol` and `value`.
        names: The protocols to turn.
        bounded: Protocols that are percentages.

    Raises:
        UserError: A name is not in the table.
    """
    values = frame["value"].copy()
    for name in names:
        mine = frame["protocol"] == name
        if not mine.any():
            known = ", ".join(sorted(set(frame["protocol"])))
            raise UserError(f"--lower-is-better {name!r} is not in the table; it has the protocols {known}")
        values[mine] = (100.0 if name in bounded else 0.0) - values[mine]
    return frame.assign(value=values)


def _nothing(frame: pd.DataFrame) -> pd.Series:
    return pd.Series("", index=frame.index)


class _Guesses:
    """What was guessed, so that one guess about several protocols is one sentence."""

    def __init__(self) -> None:
        self.names: dict[str, list[str]] = {}

    def add(self, sentence: str, name: str) -> None:
        """Note that `sentence` holds for `name` too."""
        self.names.setdefault(sentence, []).append(name)

    def findings(self) -> list[Finding]:
        """One finding per sentence."""
        states = "; state it with --metric-scale or a column scale"
        return [Finding("MB203", f"{', '.join(names)}: {said}{states}") for said, names in self.names.items()]


def _scales(
    protocol: str, part: pd.DataFrame, stated: pd.Series, metric_scale: str, target: str, guesses: _Guesses
) -> pd.Series:
    """The scale of every row of one protocol."""
    open_rows = stated == ""
    if (stated == SCORE).any() or not open_rows.any():
        return stated.mask(open_rows, SCORE)
    mine = part.loc[open_rows, "value"]
    if protocol in UNBOUNDED or mine.min() < 0 or mine.max() > 100:
        # A scale is of a whole protocol: percentages beside scores would not compare.
        return pd.Series(SCORE, index=part.index)
    if metric_scale != AUTO:
        return stated.mask(open_rows, FRACTION if metric_scale == FRACTION and mine.max() <= 1 else PERCENT)
    if mine.max() <= 1:
        guesses.add("no value exceeds 1, so values are taken as fractions of 1", protocol)
        return stated.mask(open_rows, FRACTION)
    if mine.max() <= _SMALL and protocol != target:
        guesses.add(f"no value exceeds {_SMALL}, so values are taken as scores without a scale", protocol)
        return pd.Series(SCORE, index=part.index)
    return _by_task(protocol, part, stated.copy(), guesses)


def _by_task(protocol: str, part: pd.DataFrame, scale: pd.Series, guesses: _Guesses) -> pd.Series:
    for task, rows in part[scale == ""].groupby("task", sort=True):
        small = rows[(rows["value"] > 0) & (rows["value"] <= 1)]
        if rows["value"].max() <= 1 and len(rows) >= _FEWEST:
            scale[rows.index] = FRACTION
            guesses.add(f"on {task} no value exceeds 1, so values there are taken as fractions of 1", protocol)
            continue
        scale[rows.index] = PERCENT
        if len(small):
            least = small.loc[small["value"].idxmin()]
            seen = f"{least['value']:g} for {least['checkpoint']} on {task}"
            guesses.add(f"{seen} is taken as percent, as {rows['value'].max():g} is", protocol)
    return scale


def _refuse_target(frame: pd.DataFrame, scale: pd.Series, target: str, metric_scale: str) -> None:
    mine = frame["protocol"] == target
    values = frame.loc[mine, "value"]
    if not len(values):
        return
    if metric_scale == FRACTION and values.max() > 1 and (scale[mine] != FRACTION).any():
        raise UserError(
            f"metric scale is fraction but {target} reaches {values.max():g}; choose --metric-scale percent or auto"
        )
    if (scale[mine] == SCORE).any() or values.min() < 0 or values.max() > 100:
        raise UserError(
            f"values of the target {target!r} must lie in 0-100 percent or 0-1, as an accuracy does, got "
            f"{values.min():g} to {values.max():g}; a target in which lower is better must be a percentage too"
        )
