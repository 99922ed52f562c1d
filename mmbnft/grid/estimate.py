"""What the missing runs of a plan may cost, judged by finished runs of the same kind."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mmbnft.grid.job import SAME_COST, Job
from mmbnft.results import Result
from mmbnft.utils.files import sha256_json
from mmbnft.utils.wording import duration

# Kinds of run that are named, where nothing is known of more.
SHOWN_KINDS = 4


@dataclass(frozen=True)
class Estimate:
    """Expected cost of runs.

    Attributes:
        seconds: Of the runs that can be judged, one after the other.
        judged: How many these are.
        unknown: Number of the others by kind (`PROTOCOL on TASK`).
    """

    seconds: float
    judged: int
    unknown: dict[str, int]

    @property
    def text(self) -> str:
        """One sentence for each of the two sorts."""
        parts = []
        if self.judged:
            parts.append(
                f"about {duration(self.seconds)} on one worker for {self.judged} runs (median of finished runs of the "
                "same kind)"
            )
        if self.unknown:
            kinds = [f"{kind} ({count})" for kind, count in sorted(self.unknown.items())]
            if len(kinds) > SHOWN_KINDS:
                kinds[SHOWN_KINDS:] = [f"and {len(kinds) - SHOWN_KINDS} more kinds"]
            parts.append(f"no estimate yet for {sum(self.unknown.values())} runs: {', '.join(kinds)}")
        return "; ".join(parts) or "nothing left to run"


def estimate(runs: Sequence[Job], finished: Sequence[Result]) -> Estimate:
    """Judge runs by finished ones with the same model, task, protocol and recipe.

    Args:
        runs: What is left to do.
        finished: Results that a store has, of whatever run.
    """
    known: dict[str, list[float]] = defaultdict(list)
    for result in finished:
        seconds, config = result.cost.get("seconds"), result.details.get("config")
        if result.status == "ok" and seconds is not None and isinstance(config, dict):
            known[_kind(config)].append(seconds)
    total, judged, unknown = 0.0, 0, Counter[str]()
    for run in runs:
        seconds_of_kind = known.get(_kind(run.config))
        if seconds_of_kind:
            total, judged = total + statistics.median(seconds_of_kind), judged + 1
        else:
            unknown[f"{run.protocol} on {run.task}"] += 1
    return Estimate(total, judged, dict(unknown))


def _kind(config: dict[str, Any]) -> str:
    return sha256_json({name: value for name, value in config.items() if name not in SAME_COST})
