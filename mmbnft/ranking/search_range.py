"""Whether the search on val was wide enough: what it chose lies inside the range it tried, or at one end."""

from collections.abc import Sequence

from mmbnft.ranking.checks import Finding
from mmbnft.results import Result

# A protocol whose runs choose one end of the range more often than this asks for a wider one.
MOST_AT_END = 0.75
FEWEST = 4  # runs, below which it may be chance


def narrow_searches(results: Sequence[Result]) -> list[Finding]:
    """A finding for each protocol and setting whose search mostly chose the smallest or the largest value tried.

    Left out are runs in which another value was as good on val, and a smallest value of 0, below which there is none.

    Args:
        results: Successful results.
    """
    ends: dict[tuple[str, str], list[tuple[str, float]]] = {}
    for result in results:
        search, chosen = result.details.get("search"), result.details.get("chosen")
        if not isinstance(search, list) or not isinstance(chosen, dict):
            continue
        for setting, value in chosen.items():
            trials = [trial for trial in search if setting in trial and trial.get("val") is not None]
            if place := _place(value, [(trial[setting], trial["val"]) for trial in trials]):
                ends.setdefault((result.protocol, setting), []).append((place, value))
    found = []
    for (protocol, setting), places in sorted(ends.items()):
        for end in ("smallest", "largest"):
            values = [value for place, value in places if place == end]
            if len(places) >= FEWEST and len(values) > MOST_AT_END * len(places):
                tried = f"{min(values):g}" if min(values) == max(values) else f"{min(values):g} to {max(values):g}"
                sentence = (
                    f"{protocol} chose the {end} {setting} tried ({tried}) in {len(values)} of {len(places)} runs; "
                    "values beyond it may be better, so widen the search of the recipe"
                )
                found.append(Finding("MB109", sentence))
    return found


def _place(chosen: float, trials: Sequence[tuple[float, float]]) -> str:
    """`smallest`, `largest` or `inside`; empty where there was no choice, or another value was as good.

    Args:
        chosen: The value that was chosen.
        trials: (value, val) of each trial.
    """
    tried = {value for value, _ in trials}
    best = max((val for value, val in trials if value == chosen), default=None)
    if best is None or len(tried) < 2 or any(val >= best for value, val in trials if value != chosen):
        return ""
    if chosen == max(tried):
        return "largest"
    return "smallest" if chosen == min(tried) != 0 else "inside"
