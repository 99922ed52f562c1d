"""The result of one run: the only thing that training hands to ranking and analysis."""

import dataclasses
import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbnft.artifacts import Artifacts, Predictions, read_predictions, write_artifacts
from mmbnft.utils import files
from mmbnft.utils.errors import FAILURE_KINDS, UserError, choices
from mmbnft.zoo.entry import RANDOM

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 2
# Raise it when a change to the code changes results, so that older ones count as stale.
RESULTS_VERSION = 3
# Of a coordinate in the name of a file: six of them, the key and the ending of an unfinished file stay within 255.
NAME_BYTES = 44
SCALES = ("percent", "score")
EVALUATED_ON = ("test", "val", "train", "trainval", "episodes")
_BESIDE = ("artifacts", "folder")
COLUMNS = (
    "checkpoint", "task", "protocol", "split", "seed", "value", "metric", "scale", "cost_seconds", "cost_shared_seconds"
)  # fmt: skip


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
        value: What came out, larger is better; None for a failed run.
        metric: What `value` is, e.g. `top1`, or the name of a training-free score.
        scale: `percent` for performance from 0 to 100, `score` for a number without bounds or unit, of which only
            ranks and correlations mean something.
        evaluated_on: Images that `value` was computed on: `test`, for a training-free score `train` or `trainval`, and
            the test `episodes` for few-shot.
        reason: For a failed run, one sentence.
        kind: For a failed run, one of `FAILURE_KINDS`; empty otherwise.
        cost: `seconds`, of them `shared_seconds` for work that other runs share, `images`, `peak_memory_bytes`,
            `device`, and what else the arm knows.
        details: Everything else that is worth keeping: config, versions, hashes of the lists, load certificate,
            trainable count, curve, choice on val.
        artifacts: What the run hands over to be written beside the file, and is not part of it.
        folder: Where the file was read from, a folder or an archive; None for a result that was not read.
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
    scale: str = "percent"
    evaluated_on: str = "test"
    reason: str = ""
    kind: str = ""
    cost: dict[str, Any] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA
    artifacts: Artifacts = field(default=Artifacts(), compare=False, repr=False)
    folder: Path | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse a state that could later pass for a measurement."""
        if self.status not in ("ok", "failed"):
            raise UserError(f"status of a result must be ok or failed, got {self.status!r}")
        if self.status == "ok" and (self.value is None or not math.isfinite(self.value)):
            raise UserError(f"an ok result needs a finite value, got {self.value!r}")
        if self.status == "failed" and (self.value is not None or not self.reason):
            raise UserError("a failed result needs a reason and no value")
        kinds = FAILURE_KINDS if self.status == "failed" else ("",)
        for name, allowed in (("kind", kinds), ("scale", SCALES), ("evaluated_on", EVALUATED_ON)):
            value = getattr(self, name)
            if value not in allowed:
                expected = choices(allowed) if any(allowed) else "empty"
                raise UserError(f"{name} of a result that is {self.status} must be {expected}, got {value!r}")

    @property
    def is_control(self) -> bool:
        """Whether it is of random weights, as its load certificate says; unknown, so no, where that is missing."""
        return bool((self.details.get("certificate") or {}).get("format") == RANDOM)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Result":
        """The result that `to_dict` gave `content` of.

        Raises:
            TypeError: A field is unknown or missing.
        """
        return cls(**content)

    def to_dict(self) -> dict[str, Any]:
        """What the file holds."""
        names = [entry.name for entry in dataclasses.fields(self) if entry.name not in _BESIDE]
        return {name: getattr(self, name) for name in names}

    @property
    def predictions(self) -> Predictions | None:
        """Class scores on test, if they are kept.

        Raises:
            UserError: Their file is damaged.
        """
        if self.folder is None:
            return self.artifacts.predictions
        return read_predictions(self.folder, self.key)

    @property
    def shown_value(self) -> str:
        """The value with its unit, for people: `91.50 %`, a score as `0.2031`, and `-` for a failed run."""
        if self.value is None:
            return "-"
        return f"{self.value:.2f} %" if self.scale == "percent" else f"{self.value:.4g}"

    @property
    def file_name(self) -> str:
        """Name by coordinates and key: readable, unique by content, and short enough for every file system."""
        parts = (self.checkpoint, self.task, self.protocol, self.recipe, f"split{self.split}", f"seed{self.seed}")
        return "__".join(_safe(part) for part in parts) + f"__{self.key[:16]}.json"


@dataclass(frozen=True)
class Coordinates:
    """What a result is a result of, known before anything is computed; the one place that builds results.

    Attributes:
        checkpoint: As in `Result`; so are the others.
        task: Task name.
        protocol: Protocol name.
        recipe: Recipe name.
        split: Number of the official split.
        seed: Seed.
        key: Hex content hash.
        metric: What the value is.
        scale: `percent` or `score`.
        evaluated_on: Images that the value is computed on.
    """

    checkpoint: str
    task: str
    protocol: str
    recipe: str
    split: int
    seed: int
    key: str
    metric: str
    scale: str = "percent"
    evaluated_on: str = "test"

    def succeeded(
        self, value: float, cost: dict[str, Any], details: dict[str, Any], artifacts: Artifacts | None = None
    ) -> Result:
        """The result of a run that came to its end.

        Args:
            value: On the scale named here.
            cost: As in `Result`.
            details: As in `Result`.
            artifacts: As in `Result`.
        """
        return self._result(status="ok", value=value, cost=cost, details=details, artifacts=artifacts or Artifacts())

    def failed(self, kind: str, reason: str, details: dict[str, Any] | None = None) -> Result:
        """The result of a run that did not.

        Args:
            kind: One of `FAILURE_KINDS`.
            reason: One sentence.
            details: As in `Result`.
        """
        reason = " ".join(reason.split()) or "no reason given"
        return self._result(status="failed", value=None, kind=kind, reason=reason, details=details or {})

    def _result(self, **outcome: Any) -> Result:
        return Result(**{entry.name: getattr(self, entry.name) for entry in dataclasses.fields(self)}, **outcome)


def _safe(part: str) -> str:
    plain = "".join(c if c.isalnum() or c in "-.+_" else "-" for c in part).encode()
    if len(plain) <= NAME_BYTES:
        return plain.decode()
    # Names that differ often do at their end.
    start, end = plain[: NAME_BYTES // 2 - 1], plain[-(NAME_BYTES // 2 - 1) :]
    return start.decode(errors="ignore") + ".." + end.decode(errors="ignore")


def write_result(folder: Path | str, result: Result) -> Path:
    """Write `result` to its file in `folder` atomically, after what belongs beside it, and return the path."""
    path = Path(folder) / result.file_name
    write_artifacts(folder, result.key, result.artifacts)
    files.write_json(path, result.to_dict())
    return path


def read_result(path: Path | str) -> Result:
    """Read one result file.

    Raises:
        UserError: The file is missing, damaged, or of another schema.
    """
    return result_of(files.read_json(path), str(path), Path(path).parent)


def result_of(content: Any, name: str, folder: Path) -> Result:
    """The result whose file holds `content`.

    Args:
        content: The file's JSON.
        name: The file, for messages.
        folder: Where it was read from.

    Raises:
        UserError: It is no result, or of another schema.
    """
    written = content.get("schema", "none") if isinstance(content, dict) else "none"
    if written not in (1, SCHEMA):
        raise UserError(
            f"{name} is not a result of schema {SCHEMA} (it has {written}); remove it or read it with the version that "
            "wrote it"
        )
    try:
        found = Result.from_dict(_upgraded(content) if content["schema"] == 1 else content)
        return dataclasses.replace(found, folder=folder)
    except (TypeError, KeyError) as error:
        raise UserError(f"{name} is not a result file: {error}") from error


def _upgraded(content: dict[str, Any]) -> dict[str, Any]:
    """A result of schema 1, which did not say its scale; there the metric of a training-free score was its own name."""
    is_score = content["metric"] == content["protocol"]
    details = content.get("details", {})
    known = {
        "scale": "score" if is_score else "percent",
        "evaluated_on": details.get("fitted_on", "trainval")
        if is_score
        else "episodes"
        if "episodes" in details
        else "test",
        "kind": "" if content["status"] == "ok" else "bug" if "traceback" in details else "input",
        "schema": SCHEMA,
    }
    return content | known


def with_named_controls(results: Iterable[Result]) -> list[Result]:
    """The same results, in which random weights of several networks are called `random NETWORK` throughout.

    A benchmark of one network calls them `random`, one of several by their networks: where both are read together, one
    control must not count as two, nor those of two networks as one.
    """
    results = list(results)
    named = [_with_named_control(result) for result in results]
    several = any(len({result.checkpoint for result in side if result.is_control}) > 1 for side in (results, named))
    return named if several else results


def _with_named_control(result: Result) -> Result:
    network = result.details.get("network") or {}
    if result.checkpoint != RANDOM or not result.is_control or "name" not in network:
        return result
    return dataclasses.replace(result, checkpoint=f"{RANDOM} {network['name']}")


def results_table(results: Iterable[Result]) -> "pd.DataFrame":
    """Successful runs as one long table with the columns of `COLUMNS`; `cost_seconds` holds the shared ones too."""
    import pandas as pd

    rows = [
        (*(getattr(r, name) for name in COLUMNS[:-2]), r.cost.get("seconds"), r.cost.get("shared_seconds"))
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
