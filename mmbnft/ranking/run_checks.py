"""Checks of the runs behind a report: failures, partial checkpoints, leakage, recipes, searches and their outcome."""

from collections.abc import Callable, Sequence

from mmbnft.ranking.checks import Finding
from mmbnft.ranking.run_facts import is_partial
from mmbnft.ranking.search_range import narrow_searches
from mmbnft.results import Result, search_summary
from mmbnft.utils.errors import choices
from mmbnft.utils.wording import counted

# Runs named in one finding before it says how many more there are.
_NAMED = 3
# Percentage points that test may lie below val; a few dozen images on val and a choice by them explain less.
_FAR_BELOW = 20.0


def run_findings(results: Sequence[Result]) -> tuple[Finding, ...]:
    """Every check that reads the runs themselves, failed ones included."""
    good = [result for result in results if result.status == "ok"]
    checks: tuple[Callable[[Sequence[Result]], list[Finding]], ...] = (
        _partial,
        _normalisation,
        _leakage,
        _recipes,
        _micro_batches,
        _diverged,
        narrow_searches,
        _far_below_val,
    )
    return (*_failed(results), *(finding for check in checks for finding in check(good)))


def _failed(results: Sequence[Result]) -> list[Finding]:
    by_kind: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        if result.status == "failed":
            by_kind.setdefault((result.kind, result.reason), []).append(result)
    return [
        Finding("MB104", f"{len(runs)} of {len(results)} runs failed ({kind}): {_named(runs)}: {reason}")
        for (kind, reason), runs in by_kind.items()
    ]


def _partial(results: Sequence[Result]) -> list[Finding]:
    names = sorted({result.checkpoint for result in results if is_partial(result)})
    sentence = f"{', '.join(names)} lacked tensors of its network; these kept their random initialisation"
    return [Finding("MB101", sentence)] if names else []


def _normalisation(results: Sequence[Result]) -> list[Finding]:
    sources: dict[str, set[str]] = {}
    for result in results:
        certificate, told = result.details.get("certificate"), result.details.get("normalisation")
        source = told.get("known_from") if isinstance(told, dict) else None
        if source is None and isinstance(certificate, dict):
            source = certificate.get("normalisation_known_from")
        # A file that proves its normalisation is as good as the catalogue.
        if source and source not in ("catalogue", "file"):
            sources.setdefault(str(source), set()).add(result.checkpoint)
    words = {"stated": "was stated by the user", "assumed": "was assumed"}
    return [
        Finding("MB102", f"the input normalisation of {', '.join(sorted(names))} {words.get(source, f'is {source}')}")
        for source, names in sorted(sources.items())
    ]


def _leakage(results: Sequence[Result]) -> list[Finding]:
    counts: dict[tuple[str, int], tuple[int, int, str]] = {}
    for result in results:
        told = result.details.get("leakage")
        if isinstance(told, dict):
            pair = int(told.get("exact") or 0), int(told.get("near") or 0)
            if any(pair):
                between = told.get("between")
                where = ", ".join(between) if isinstance(between, dict) and between else "train, val and test"
                counts[result.task, result.split] = (*pair, where)
    return [
        Finding("MB103", f"{task}, split {split}: {exact} exact and {near} near duplicates between {where}")
        for (task, split), (exact, near, where) in sorted(counts.items())
    ]


def _recipes(results: Sequence[Result]) -> list[Finding]:
    recipes: dict[str, set[str]] = {}
    for result in results:
        recipes.setdefault(result.protocol, set()).add(result.recipe)
    findings = [
        Finding("MB105", f"{protocol} was run with different recipes ({choices(names)}): its values are not comparable")
        for protocol, names in sorted(recipes.items())
        if len(names) > 1
    ]
    if len({name for names in recipes.values() for name in names}) > 1:
        listed = "; ".join(f"{protocol}: {choices(names)}" for protocol, names in sorted(recipes.items()))
        sentence = f"protocols used different recipes, which may explain differences between them ({listed})"
        findings.append(Finding("MB106", sentence))
    return findings


def _micro_batches(results: Sequence[Result]) -> list[Finding]:
    split = [result for result in results if (result.details.get("accumulation") or 1) > 1]
    sentence = f"{counted(len(split), 'run')} split every batch into micro-batches for lack of memory: {_named(split)}"
    return [Finding("MB107", f"{sentence}; batch statistics come from the micro-batches")] if split else []


def _diverged(results: Sequence[Result]) -> list[Finding]:
    found = []
    for result in results:
        told = result.details.get("diverged_episodes")
        number = len(told) if isinstance(told, (list, tuple, dict)) else int(told or 0)
        if number:
            sentence = f"{_label(result)}: {number} episodes diverged on their support images and count as chance"
            found.append(Finding("MB108", sentence))
    return found


def _far_below_val(results: Sequence[Result]) -> list[Finding]:
    """Runs whose last training came to much less than the same settings had promised on val."""
    found = [
        (best - result.value, f"{_label(result)} {best:.1f} % on val, {result.value:.1f} % on test")
        for result in results
        if result.scale == "percent" and result.value is not None
        if (best := search_summary(result).get("best")) is not None
    ]
    told = [text for gap, text in sorted(found, reverse=True) if gap > _FAR_BELOW]
    sentence = (
        f"{len(told)} of {len(found)} runs with a search are more than {_FAR_BELOW:g} points below their val: "
        f"{_first(told)}; training them again failed, or test differs from val"
    )
    return [Finding("MB110", sentence)] if told else []


def _named(results: Sequence[Result]) -> str:
    return _first([_label(result) for result in results])


def _first(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
    return "; ".join(texts[:_NAMED]) + more


def _label(result: Result) -> str:
    return f"{result.protocol} of {result.checkpoint} on {result.task} (split {result.split}, seed {result.seed})"
