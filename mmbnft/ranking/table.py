"""The long table of values, checked once at the door and then held per task as arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from mmbnft.utils.errors import UserError, choices

COORDINATES = ("checkpoint", "task", "protocol")
REQUIRED = (*COORDINATES, "value")
COSTS = ("cost_seconds", "cost_images", "cost_memory_bytes")
# No interval, test or tier means anything below this many checkpoints.
FEWEST_CHECKPOINTS = 3

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TaskScores:
    """Every value of one task.

    Attributes:
        name: Task name.
        checkpoints: Sorted names of the n checkpoints.
        repeats: Per protocol the values (n, repeats), padded with NaN; a row of NaN is a missing cell.
        aligned: Protocols in which column j is the same split and seed for every checkpoint.
    """

    name: str
    checkpoints: tuple[str, ...]
    repeats: Mapping[str, Array]
    aligned: frozenset[str] = frozenset()

    def means(self, protocol: str) -> Array:
        """(n,) mean over the repeats of each checkpoint; NaN for a missing cell."""
        values = self.repeats.get(protocol, np.full((len(self.checkpoints), 1), np.nan))
        known = np.isfinite(values)
        total = np.where(known, values, 0.0).sum(axis=1)
        # Rounded so that equal repeats tie: a mean's last bit must not decide a rank.
        return np.where(known.any(axis=1), np.round(total / np.maximum(known.sum(axis=1), 1), 9), np.nan)

    def complete(self, protocols: Sequence[str]) -> npt.NDArray[np.intp]:
        """Indices of the checkpoints that have a value under every one of `protocols`."""
        return np.flatnonzero(np.all([np.isfinite(self.means(p)) for p in protocols], axis=0))


@dataclass(frozen=True)
class ScoreTable:
    """Values of every task, with what the reader of a report must be told about them.

    Attributes:
        tasks: One entry per task, sorted by name.
        target: Protocol the proxies should predict.
        proxies: Proxies in the order asked for.
        bounded: Protocols measured in percent (0-100); the others are scores without a scale.
        costs: Mean cost of one run per (protocol, kind of cost), kinds as in `COSTS`.
        warnings: One sentence per gap or doubt.
    """

    tasks: tuple[TaskScores, ...]
    target: str
    proxies: tuple[str, ...]
    bounded: frozenset[str]
    costs: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def checkpoints(self) -> tuple[str, ...]:
        """Sorted names of all checkpoints."""
        return tuple(sorted({name for task in self.tasks for name in task.checkpoints}))


def score_table(
    table: pd.DataFrame,
    target: str = "finetune",
    proxies: Sequence[str] | None = None,
    metric_scale: str = "percent",
) -> ScoreTable:
    """Check a long table and arrange it.

    Args:
        table: Columns `checkpoint,task,protocol,value`, optionally `split,seed` (they tell repeats apart) and costs.
        target: Protocol to be predicted.
        proxies: Protocols that predict; all others in the table if None.
        metric_scale: `percent`, or `fraction` if values lie in 0-1; a fraction is turned into percent here.

    Raises:
        UserError: A column is missing, a value is no number, a cell stands twice, percentages and fractions are
            mixed, a name is unknown, or no task has three checkpoints with a target.
    """
    frame = _numbers(_columns(table))
    target, proxies = _names(frame, target, proxies)
    frame = frame[frame["protocol"].isin([target, *proxies])]
    warnings = [
        f"{task}: {protocol} of {checkpoint} is not a number and counts as missing"
        for checkpoint, task, protocol in frame.loc[frame["value"].isna(), list(COORDINATES)].itertuples(index=False)
    ]
    frame = frame.dropna(subset=["value"])
    _refuse_duplicates(frame)
    bounded = _bounded(frame)
    frame = _to_percent(frame, target, bounded, metric_scale)
    tasks = tuple(_task(str(name), part) for name, part in frame.groupby("task", sort=True))
    result = ScoreTable(tasks, target, tuple(proxies), frozenset(bounded), _costs(frame), tuple(warnings))
    return _with_gaps(result)


def _columns(table: pd.DataFrame) -> pd.DataFrame:
    missing = [name for name in REQUIRED if name not in table.columns]
    if missing:
        raise UserError(
            f"the table lacks the column {choices(missing)}; it has {choices([str(c) for c in table.columns])}; "
            f"a long table has {', '.join(REQUIRED)} and may have split, seed and cost_seconds"
        )
    if table.empty:
        raise UserError("the table has no rows; there is nothing to rank until a run has succeeded")
    frame = table[[c for c in (*REQUIRED, "split", "seed", *COSTS) if c in table.columns]].copy()
    for name in COORDINATES:
        if frame[name].isna().any() or (frame[name].astype(str).str.strip() == "").any():
            raise UserError(f"the column {name} has an empty cell; every row needs a {name}")
        frame[name] = frame[name].astype(str).str.strip()
    return frame


def _numbers(frame: pd.DataFrame) -> pd.DataFrame:
    for name in ("value", *COSTS):
        if name not in frame.columns:
            continue
        numbers = pd.to_numeric(frame[name], errors="coerce")
        words = frame[name].astype(str).str.strip().str.lower()
        wrong = numbers.isna() & frame[name].notna() & ~words.isin(["", "nan", "none"])
        wrong |= np.isinf(numbers)
        if wrong.any():
            raise UserError(f"{name} {str(frame.loc[wrong, name].iloc[0])!r} is not a finite number; write e.g. 81.2")
        frame[name] = numbers.astype(float)
    return frame


def _names(frame: pd.DataFrame, target: str, proxies: Sequence[str] | None) -> tuple[str, list[str]]:
    known = list(dict.fromkeys(sorted(frame["protocol"])))
    if target not in known:
        raise UserError(f"target {target!r} is not in the table; it has the protocols {choices(known)}")
    wanted = [name for name in known if name != target] if proxies is None else list(dict.fromkeys(proxies))
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise UserError(f"proxy {unknown[0]!r} is not in the table; it has the protocols {choices(known)}")
    if target in wanted:
        raise UserError(f"{target!r} is the target and cannot be its own proxy; take it off the list of proxies")
    if not wanted:
        raise UserError(f"the table has only the target {target!r}; add results of at least one proxy")
    return target, wanted


def _refuse_duplicates(frame: pd.DataFrame) -> None:
    keys = [*COORDINATES, *(c for c in ("split", "seed") if c in frame.columns)]
    twice = frame[frame.duplicated(keys, keep=False)]
    if len(twice):
        first = ", ".join(f"{key} {twice.iloc[0][key]}" for key in keys)
        raise UserError(
            f"{len(twice)} rows share their coordinates, e.g. {first}; give repeats different split or seed numbers, "
            "and remove rows that are the same measurement"
        )


def _bounded(frame: pd.DataFrame) -> set[str]:
    extremes = frame.groupby("protocol")["value"].agg(["min", "max"])
    return {str(name) for name, low, high in extremes.itertuples() if low >= 0 and high <= 100}


def _to_percent(frame: pd.DataFrame, target: str, bounded: set[str], metric_scale: str) -> pd.DataFrame:
    """Bring every percentage to 0-100 and refuse what cannot be one scale."""
    if metric_scale not in ("percent", "fraction"):
        raise UserError(f"metric scale must be percent or fraction, got {metric_scale!r}")
    if target not in bounded:
        raise UserError(f"values of the target {target!r} must lie in 0-100 percent or 0-1, as an accuracy does")
    for protocol in sorted(bounded):
        _refuse_mixture(frame[frame["protocol"] == protocol], protocol, metric_scale, protocol == target)
    if metric_scale == "percent":
        return frame
    largest = frame.groupby("protocol")["value"].max()
    fractions = {name for name in bounded if largest[name] <= 1}
    bounded.intersection_update(fractions)
    scale = np.where(frame["protocol"].isin(fractions), 100.0, 1.0)
    return frame.assign(value=frame["value"] * scale)


def _refuse_mixture(part: pd.DataFrame, protocol: str, metric_scale: str, is_target: bool) -> None:
    small = part[(part["value"] > 0) & (part["value"] <= 1)]
    large = part[part["value"] > 20]
    if len(small) and len(large):
        a, b = small.iloc[0], large.iloc[0]
        raise UserError(
            f"{protocol} mixes percent and fractions: {b['value']:g} for {b['checkpoint']} on {b['task']} but "
            f"{a['value']:g} for {a['checkpoint']} on {a['task']}; write all values on one scale (a true value below "
            "1 percent needs the whole table as fractions and metric scale fraction)"
        )
    if is_target and metric_scale == "fraction" and part["value"].max() > 1:
        raise UserError(
            f"metric scale is fraction but {protocol} reaches {part['value'].max():g}; choose metric scale percent"
        )
    if is_target and metric_scale == "percent" and part["value"].max() <= 1:
        raise UserError(
            f"metric scale is percent but {protocol} never exceeds {part['value'].max():g}; "
            "choose metric scale fraction"
        )


def _task(name: str, part: pd.DataFrame) -> TaskScores:
    checkpoints = tuple(sorted(part["checkpoint"].unique()))
    repeats, aligned = {}, set()
    for protocol, rows in part.groupby("protocol"):
        ordered = _in_order(rows)
        by_checkpoint = {c: r["value"].to_numpy() for c, r in ordered.groupby("checkpoint")}
        if len({tuple(map(tuple, _numbers_of(r))) for _, r in ordered.groupby("checkpoint")}) == 1:
            aligned.add(str(protocol))
        block = np.full((len(checkpoints), max(len(v) for v in by_checkpoint.values())), np.nan)
        for row, checkpoint in enumerate(checkpoints):
            values = by_checkpoint.get(checkpoint, np.empty(0))
            block[row, : len(values)] = values
        repeats[str(protocol)] = block
    return TaskScores(name, checkpoints, repeats, frozenset(aligned))


def _numbers_of(rows: pd.DataFrame) -> list[list[object]]:
    return rows[[c for c in ("split", "seed") if c in rows.columns]].to_numpy().tolist()


def _in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Sort repeats by their numbers, so that the order of the rows in a file never changes a figure."""
    keys = [c for c in ("split", "seed") if c in rows.columns]
    return rows.sort_values(keys) if keys else rows


def _costs(frame: pd.DataFrame) -> dict[str, dict[str, float]]:
    kinds = [kind for kind in COSTS if kind in frame.columns]
    found: dict[str, dict[str, float]] = {}
    for protocol, part in frame.groupby("protocol"):
        means = {kind: float(part[kind].mean()) for kind in kinds if part[kind].notna().any()}
        if means:
            found[str(protocol)] = means
    return found


def _with_gaps(table: ScoreTable) -> ScoreTable:
    """Add a sentence for every missing cell and refuse a table on which nothing can be said."""
    warnings = list(table.warnings)
    for task in table.tasks:
        for protocol in (table.target, *table.proxies):
            absent = [c for c, v in zip(task.checkpoints, task.means(protocol), strict=True) if np.isnan(v)]
            if absent:
                n = len(task.complete([protocol, table.target]))
                warnings.append(f"{task.name}: {protocol} is missing for {', '.join(absent)}, so n = {n} there")
        n = len(task.complete([table.target]))
        if n < FEWEST_CHECKPOINTS:
            warnings.append(f"{task.name}: only {n} checkpoints have a target, so nothing is concluded from this task")
    if all(len(task.complete([table.target])) < FEWEST_CHECKPOINTS for task in table.tasks):
        raise UserError(
            f"no task has {FEWEST_CHECKPOINTS} checkpoints with the target {table.target!r}; a ranking cannot be "
            "judged on fewer; add checkpoints or fine-tune more of them"
        )
    return ScoreTable(table.tasks, table.target, table.proxies, table.bounded, table.costs, tuple(warnings))
