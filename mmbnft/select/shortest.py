"""How short training runs may be before the order of checkpoints is lost, from results on val at several lengths."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmbnft.ranking.resampling import checkpoint_draws, percentile
from mmbnft.ranking.statistics import kendall
from mmbnft.result_files import read_results
from mmbnft.results import Result
from mmbnft.utils.errors import UserError

LEAST_CHECKPOINTS = 4
RESAMPLES = 2000
# Of Kendall's tau with the longest trainings: where the lower end of its interval is above this, the order is kept.
KEPT = 0.6


@dataclass(frozen=True)
class Length:
    """How far training runs of one length order the checkpoints as the longest do.

    Attributes:
        length: In epochs, or in steps where the recipe counts them.
        checkpoints: How many have a result at both lengths.
        tau: Kendall's, and its 95 % interval over checkpoints.
        interval: See `tau`.
        lost: Points on val that the best of this length loses to the best of the longest.
    """

    length: int
    checkpoints: int
    tau: float
    interval: tuple[float, float]
    lost: float


def values_by_length(results: list[Result], target: str) -> dict[str, dict[int, dict[str, float]]]:
    """Best value on val by task, length and checkpoint.

    What a run's search tried at each length counts, and where val was watched during the reported training, its curve.

    Args:
        results: Of whatever runs.
        target: Name of the protocol.
    """
    found: dict[str, dict[int, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for result in results:
        if result.protocol != target or result.status != "ok":
            continue
        for entry in result.details.get("search") or []:
            if entry.get("val") is not None and "length" in entry:
                own = found[result.task][int(entry["length"])]
                own[result.checkpoint] = max(entry["val"], own.get(result.checkpoint, -np.inf))
    return found


def judge_lengths(values: dict[int, dict[str, float]], seed: int = 0) -> list[Length]:
    """Each length against the longest, the longest left out.

    Args:
        values: Value by length and checkpoint.
        seed: Of the resamples.
    """
    longest, found = values[max(values)], []
    for length in sorted(values)[:-1]:
        names = sorted(set(values[length]) & set(longest))
        if len(names) < LEAST_CHECKPOINTS:
            continue
        short, whole = (np.array([source[name] for name in names]) for source in (values[length], longest))
        draws = checkpoint_draws(np.random.default_rng(seed).random((RESAMPLES, len(names))), len(names))
        boot = kendall(short[draws], whole[draws])
        tau = float(kendall(short, whole))
        found.append(Length(length, len(names), tau, percentile(boot), float(whole.max() - whole[short.argmax()])))
    return found


def shortest_of(folder: Path, target: str) -> Iterator[str]:
    """Lines for a person: each length of each task, and the shortest that keeps the order.

    Args:
        folder: Of a selection, a grid, or its results.
        target: Name of the protocol.

    Raises:
        UserError: There is nothing to compare.
    """
    tasks = values_by_length(read_results(folder), target)
    judged = {task: judge_lengths(values) for task, values in sorted(tasks.items())}
    if not any(judged.values()):
        raise UserError(
            f"{folder} has no results of {target!r} on val at two lengths for {LEAST_CHECKPOINTS} checkpoints; get "
            "some with tools/select.py, or with a recipe that searches by halving"
        )
    for task, lengths in judged.items():
        for one in lengths:
            low, high = one.interval
            yield (
                f"{task}: length {one.length} of {max(tasks[task])}: tau {one.tau:.2f} [{low:.2f}, {high:.2f}], "
                f"n = {one.checkpoints}; picking by it loses {one.lost:.2f} points on val"
            )
        kept = [one.length for one in lengths if one.interval[0] >= KEPT]
        if lengths:
            yield (
                f"{task}: length {min(kept)} and up keeps the order (lower end of tau's interval at least {KEPT:g})"
                if kept
                else f"{task}: no shorter length surely keeps the order (lower end of tau's interval below {KEPT:g})"
            )
