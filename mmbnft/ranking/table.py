"""The long table of values, checked once at the door and then held per task as arrays."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from mmbnft.ranking.checks import Finding
from mmbnft.ranking.scales import AUTO, on_one_scale, turned
from mmbnft.utils.errors import UserError, choices, meant
from mmbnft.utils.wording import joined

COORDINATES = ("checkpoint", "task", "protocol")
REQUIRED = (*COORDINATES, "value")
COSTS = ("cost_seconds", "cost_shared_seconds", "cost_images", "cost_memory_bytes")
ERROR = "standard_error"
# No interval, test or tier means anything below this many checkpoints.
FEWEST_CHECKPOINTS = 3
DEFAULT_TARGET = "finetune"
# Tasks named in one finding about missing values.
_NAMED = 3

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TaskScores:
    """Every value of one task.

    Attributes:
        name: Task name.
        checkpoints: Sorted names of the n checkpoints.
        repeats: Per protocol the values (n, repeats), padded with NaN; a row of NaN is a missing cell.
        aligned: Protocols in which column j is the same split and seed for every checkpoint.
        spreads: Per protocol the spread (n,) that the table states beside its values, of a kind it does not state; only
            where it states one.
        errors: Per protocol the standard error (n,) of each value under other test images, NaN where unknown.
    """

    name: str
    checkpoints: tuple[str, ...]
    repeats: Mapping[str, Array]
    aligned: frozenset[str] = frozenset()
    spreads: Mapping[str, Array] = field(default_factory=dict)
    errors: Mapping[str, Array] = field(default_factory=dict)

    def means(self, protocol: str) -> Array:
        """(n,) mean over the repeats of each checkpoint; NaN for a missing cell."""
        values = self.repeats.get(protocol, np.full((len(self.checkpoints), 1), np.nan))
        known = np.isfinite(values)
        total = np.where(known, values, 0.0).sum(axis=1)
        # Rounded so that equal repeats tie: a mean's last bit must not decide a rank.
        return np.where(known.any(axis=1), np.round(total / np.maximum(known.sum(axis=1), 1), 9), np.nan)

    def spread(self, protocol: str) -> Array:
        """(n,) standard deviation of the repeats of each checkpoint, or what the table states; NaN where unknown."""
        values = self.repeats.get(protocol, np.full((len(self.checkpoints), 1), np.nan))
        stated = self.spreads.get(protocol, np.full(len(self.checkpoints), np.nan))
        counts = np.isfinite(values).sum(axis=1)
        deviations = [np.nanstd(row, ddof=1) if m > 1 else s for row, m, s in zip(values, counts, stated, strict=True)]
        return np.array(deviations, float)

    def half_widths(self, protocol: str) -> Array:
        """(n,) half of the 95 % interval of each mean over repeats (Student's t); NaN with one repeat."""
        values = self.repeats.get(protocol, np.full((len(self.checkpoints), 1), np.nan))
        counts = np.isfinite(values).sum(axis=1)
        half = np.full(len(values), np.nan)
        for row in np.flatnonzero(counts >= 2):
            m = int(counts[row])
            half[row] = stats.t.ppf(0.975, m - 1) * np.nanstd(values[row], ddof=1) / m**0.5
        return half

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
        findings: What the reader must be told.
    """

    tasks: tuple[TaskScores, ...]
    target: str
    proxies: tuple[str, ...]
    bounded: frozenset[str]
    costs: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @property
    def checkpoints(self) -> tuple[str, ...]:
        """Sorted names of all checkpoints."""
        return tuple(sorted({name for task in self.tasks for name in task.checkpoints}))

    @property
    def protocols(self) -> tuple[str, ...]:
        """The target, if it has any value, and the proxies."""
        has_target = any(len(task.complete([self.target])) for task in self.tasks)
        return (*((self.target,) if has_target else ()), *self.proxies)

    @property
    def is_judged(self) -> bool:
        """Whether proxies can be held against the target: a task has `FEWEST_CHECKPOINTS` with the target."""
        return any(len(task.complete([self.target])) >= FEWEST_CHECKPOINTS for task in self.tasks)


def score_table(
    table: pd.DataFrame,
    target: str | None = None,
    proxies: Sequence[str] | None = None,
    metric_scale: str = AUTO,
    lower_is_better: Sequence[str] = (),
) -> ScoreTable:
    """Check a long table and arrange it.

    Args:
        table: Columns `checkpoint,task,protocol,value`, optionally `split,seed` (they tell repeats apart), `scale`
            (`percent`, `fraction` or `score`), `spread`, `standard_error` (of a value under other test images, see
            `standard_errors`) and costs.
        target: Protocol to be predicted; if None `finetune`, which the table then need not have.
        proxies: Protocols that predict; all others in the table if None.
        metric_scale: `auto`, `percent` or `fraction`: the scale of values whose row states none.
        lower_is_better: Protocols such as losses and error rates, turned so that larger is better.

    Raises:
        UserError: A column is missing, a value is no number, a cell stands twice, the target is no percentage, a name
            is unknown, or no task has two checkpoints to rank.
    """
    frame = _numbers(_columns(table.reset_index(drop=True)))
    target, proxies = _names(frame, target, proxies)
    frame = frame[frame["protocol"].isin([target, *proxies])]
    findings = [
        Finding("MB202", f"{task}: {protocol} of {checkpoint} is not a number and counts as missing")
        for checkpoint, task, protocol in frame.loc[frame["value"].isna(), list(COORDINATES)].itertuples(index=False)
    ]
    frame = frame.dropna(subset=["value"])
    _refuse_duplicates(frame)
    frame, bounded, guesses = on_one_scale(frame, target, metric_scale)
    frame = turned(frame, lower_is_better, bounded)
    tasks = tuple(_task(str(name), part) for name, part in frame.groupby("task", sort=True))
    found = ScoreTable(tasks, target, tuple(proxies), bounded, _costs(frame), (*findings, *guesses))
    return _with_gaps(found)


def _columns(table: pd.DataFrame) -> pd.DataFrame:
    missing = [name for name in REQUIRED if name not in table.columns]
    if missing:
        raise UserError(
            f"the table lacks the column {choices(missing)}; it has {choices([str(c) for c in table.columns])}; "
            f"a long table has {', '.join(REQUIRED)} and may have split, seed and cost_seconds"
        )
    if table.empty:
        raise UserError("the table has no rows; there is nothing to rank until a run has succeeded")
    frame = table[
        [c for c in (*REQUIRED, "split", "seed", "scale", "spread", ERROR, *COSTS) if c in table.columns]
    ].copy()
    for name in COORDINATES:
        if frame[name].isna().any() or (frame[name].astype(str).str.strip() == "").any():
            raise UserError(f"the column {name} has an empty cell; every row needs a {name}")
        frame[name] = frame[name].astype(str).str.strip()
    return frame


def _numbers(frame: pd.DataFrame) -> pd.DataFrame:
    for name in ("value", ERROR, *COSTS):
        if name not in frame.columns:
            continue
        numbers = pd.to_numeric(frame[name], errors="coerce")
        words = frame[name].astype(str).str.strip().str.lower()
        wrong = numbers.isna() & frame[name].notna() & ~words.isin(["", "nan", "none", "<na>"])
        wrong |= np.isinf(numbers)
        if wrong.any():
            raise UserError(f"{name} {str(frame.loc[wrong, name].iloc[0])!r} is not a finite number; write e.g. 81.2")
        frame[name] = numbers.astype(float)
    return frame


def _names(frame: pd.DataFrame, target: str | None, proxies: Sequence[str] | None) -> tuple[str, list[str]]:
    known = list(dict.fromkeys(sorted(frame["protocol"])))
    if target is not None and target not in known:
        raise UserError(
            f"target {target!r} is not in the table; it has the protocols {choices(known)}{meant(target, known)}"
        )
    target = target or DEFAULT_TARGET
    wanted = [name for name in known if name != target] if proxies is None else list(dict.fromkeys(proxies))
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise UserError(
            f"proxy {unknown[0]!r} is not in the table; it has the protocols {choices(known)}{meant(unknown[0], known)}"
        )
    if target in wanted:
        raise UserError(f"{target!r} is the target and cannot be its own proxy; remove it from the proxies")
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
    spreads, errors = (_stated(part, checkpoints, column) for column in ("spread", ERROR))
    return TaskScores(name, checkpoints, repeats, frozenset(aligned), spreads, errors)


def _stated(part: pd.DataFrame, checkpoints: Sequence[str], column: str) -> dict[str, Array]:
    """Per protocol what a column states (n,), as a mean over the repeats of each checkpoint."""
    if column not in part or part[column].isna().all():
        return {}
    means = part.groupby(["protocol", "checkpoint"])[column].mean()
    names = [str(name) for name in means.index.unique(0)]
    return {name: means[name].reindex(checkpoints).to_numpy(float) for name in names if means[name].notna().any()}


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
    """Add a finding for each protocol with missing cells and refuse a table on which nothing can be ranked."""
    if all(len(task.complete([name])) < 2 for task in table.tasks for name in table.proxies):
        raise UserError(
            "no task has two checkpoints under one proxy, so there is nothing to rank; add checkpoints to the table"
        )
    gaps = [found for name in (table.target, *table.proxies) for found in _gaps(table, name)]
    return dataclasses.replace(table, findings=(*table.findings, *gaps))


def _gaps(table: ScoreTable, protocol: str) -> list[Finding]:
    absent = {
        task.name: [c for c, v in zip(task.checkpoints, task.means(protocol), strict=True) if np.isnan(v)]
        for task in table.tasks
    }
    code = "MB308" if protocol == table.target else "MB201"
    whole = [task.name for task in table.tasks if len(absent[task.name]) == len(task.checkpoints)]
    if len(whole) == len(table.tasks):
        return [Finding(code, f"{protocol} has no values")]
    found = [Finding(code, f"{protocol} has no value on {joined(whole)}")] if whole else []
    partly = {task: names for task, names in absent.items() if task not in whole}
    missing = sum(map(len, partly.values()))
    if not missing:
        return found
    total = sum(len(task.checkpoints) for task in table.tasks if task.name in partly)
    named = [f"{task}: {', '.join(names)}" for task, names in partly.items() if names]
    more = f"; and {len(named) - _NAMED} more tasks" if len(named) > _NAMED else ""
    sentence = f"{protocol} is missing for {missing} of {total} checkpoint-task pairs"
    return [*found, Finding(code, f"{sentence} ({'; '.join(named[:_NAMED])}{more})")]
