"""The result of one run: the only thing that training hands to ranking and analysis."""

import dataclasses
import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from mmbnft.utils import files
from mmbnft.utils.errors import UserError

SCHEMA = 1
COLUMNS = ("checkpoint", "task", "protocol", "split", "seed", "value", "cost_seconds")


@dataclass(frozen=True)
class Result:
    """One (checkpoint, task, protocol, recipe, split, seed) and what came of it.

    Attributes:
        checkpoint: Catalogue id, file stem, or `random`.
        task: Task name.
        protocol: Protocol name.
        recipe: Recipe name.
        split: Number of the official split.
        seed: Seed of head, order and augmentation.
        key: Hex content hash of everything that determines the run.
        status: `ok` or `failed`.
        value: Test performance in percent; None for a failed run.
        metric: Metric name, e.g. `top1`.
        reason: For a failed run, one sentence.
        cost: `seconds`, `images`, `peak_memory_bytes`, `device`.
        details: Everything else that is worth keeping: config, versions, hashes of the lists, load certificate,
            trainable count, curve, choice on val.
    """

    checkpoint: str
    task: str
    protocol: str
    recipe: str
    split: int
    seed: int
    key: str
    status: str
    value: float | None
    metric: str
    reason: str = ""
    cost: dict[str, Any] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        """Refuse a state that could later pass for a measurement."""
        if self.status not in ("ok", "failed"):
            raise UserError(f"status of a result must be ok or failed, got {self.status!r}")
        if self.status == "ok" and (self.value is None or not math.isfinite(self.value)):
            raise UserError(f"an ok result needs a finite value in percent, got {self.value!r}")
        if self.status == "failed" and (self.value is not None or not self.reason):
            raise UserError("a failed result needs a reason and no value")

    @property
    def file_name(self) -> str:
        """Name by coordinates and key: readable, and unique by content."""
        parts = (self.checkpoint, self.task, self.protocol, self.recipe, f"split{self.split}", f"seed{self.seed}")
        return "__".join(_safe(part) for part in parts) + f"__{self.key[:16]}.json"


def _safe(part: str) -> str:
    return "".join(c if c.isalnum() or c in "-.+_" else "-" for c in part)


def write_result(folder: Path | str, result: Result) -> Path:
    """Write `result` to its file in `folder` atomically and return the path."""
    path = Path(folder) / result.file_name
    files.write_json(path, dataclasses.asdict(result))
    return path


def read_result(path: Path | str) -> Result:
    """Read one result file.

    Raises:
        UserError: The file is missing, damaged, or of another schema.
    """
    content = files.read_json(path)
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise UserError(
            f"{path} is not a result of schema {SCHEMA}; remove it or read it with the version that wrote it"
        )
    try:
        return Result(**content)
    except TypeError as error:
        raise UserError(f"{path} is not a result file: {error}") from error


def read_results(folder: Path | str) -> list[Result]:
    """Read every result in `folder`, in the order of the file names.

    Raises:
        UserError: The folder is missing or a file in it cannot be read.
    """
    if not Path(folder).is_dir():
        raise UserError(f"there is no results folder {folder}; run the benchmark first")
    return [read_result(path) for path in sorted(Path(folder).glob("*.json"))]


def results_table(results: Iterable[Result]) -> pd.DataFrame:
    """Successful runs as one long table with the columns of `COLUMNS` (value in percent)."""
    rows = [
        (r.checkpoint, r.task, r.protocol, r.split, r.seed, r.value, r.cost.get("seconds"))
        for r in results
        if r.status == "ok"
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def search_summary(result: Result) -> dict[str, float]:
    """What the search of a run saw on val, over its grid.

    A trial counts with its longest training, so a search by halving is summarised over its whole grid too.

    Returns:
        `trials` and `failed` (diverged) trials, and in percent the `best`, `median` and `mean` of the others; empty for
        a run without a search.
    """
    last: dict[Any, float | None] = {}
    for number, entry in enumerate(result.details.get("search") or []):
        last[entry.get("trial", number)] = entry.get("val")
    values = [value for value in last.values() if value is not None]
    if not last:
        return {}
    counts: dict[str, float] = {"trials": len(last), "failed": len(last) - len(values)}
    if not values:
        return counts
    return counts | {"best": max(values), "median": statistics.median(values), "mean": statistics.fmean(values)}
