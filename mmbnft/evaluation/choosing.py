"""The one place where a candidate is chosen on val, refitted, and evaluated on test."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mmbnft.evaluation.arms.base import Arm, Candidate, Prediction, Work
from mmbnft.protocols import AuditError
from mmbnft.recipes.halving import Ladder, TrialRun
from mmbnft.utils.errors import DivergedError

Entry = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What came of an arm.

    Attributes:
        prediction: On the final split.
        chosen: The candidate.
        chosen_on: What it was chosen on; None if there was nothing to choose.
        search: One entry for each fit of the search: the candidate's settings, `trial` (its number), `length` where it
            has one, `val`, `val_loss`, `reason` where it failed, `images`, `multiply_adds`, and what the arm adds.
        ties: How many candidates were best on val, and by what one of them was taken; None without a tie.
        refit: What the arm says about the reported fit.
        work: All that was computed.
    """

    prediction: Prediction
    chosen: Candidate
    chosen_on: str | None
    search: list[Entry]
    ties: dict[str, Any] | None
    refit: dict[str, Any]
    work: Work

    @property
    def details(self) -> dict[str, Any]:
        """The choice, as results keep it."""
        return {
            "chosen_on": self.chosen_on,
            "chosen": self.chosen,
            "search": self.search,
            "ties": self.ties,
            **self.prediction.details,
        }


def run_arm(
    arm: Arm,
    close_choosing: Callable[[], None],
    search: Sequence[Entry] = (),
    finish_trial: Callable[[Entry], None] = lambda entry: None,
) -> Outcome:
    """Choose on val, refit, close choosing, evaluate the final split once.

    Args:
        arm: The arm.
        close_choosing: Called when nothing will be fitted or chosen any more, and test may be seen.
        search: Entries of an earlier session that this one continues.
        finish_trial: Called with each new entry.

    Raises:
        DivergedError: Every candidate failed, or the reported fit did.
    """
    candidates = arm.candidates()
    entries = [dict(entry) for entry in search]
    chosen, ties = candidates[0], None
    if len(candidates) > 1:
        chosen, ties = _choose(arm, candidates, entries, finish_trial)
    spent = dataclasses.replace(arm.work)
    refit = arm.fit(chosen, arm.refit_on)
    close_choosing()
    prediction = arm.predict(arm.final_split)
    total = arm.work - spent
    for entry in entries:
        total.add(entry["images"], entry["multiply_adds"])
    return Outcome(prediction, chosen, arm.chosen_on if entries else None, entries, ties, refit, total)


def search_arm(arm: Arm) -> Outcome:
    """Choose on val and stop there: nothing is refitted, and test is not seen.

    Args:
        arm: The arm; one with a single candidate fits it on train all the same.

    Raises:
        DivergedError: Every candidate failed.
    """
    entries: list[Entry] = []
    candidates = arm.candidates()
    chosen, ties = _choose(arm, candidates, entries, lambda entry: None)
    best = [entry for entry in entries if entry["trial"] == candidates.index(chosen)][-1]
    work = Work()
    for entry in entries:
        work.add(entry["images"], entry["multiply_adds"])
    return Outcome(Prediction(best["val"], best["val_loss"]), chosen, arm.chosen_on, entries, ties, {}, work)


def _choose(
    arm: Arm, candidates: list[Candidate], entries: list[Entry], finish_trial: Callable[[Entry], None]
) -> tuple[Candidate, dict[str, Any] | None]:
    own = arm.rounds()
    ladder = own or Ladder.build(len(candidates), 1)
    while (due := ladder.next(_scores(arm, entries))) is not None:
        entry = {"trial": due.trial, **candidates[due.trial]} | ({"length": due.length} if own else {})
        entries.append(entry | _try(arm, candidates[due.trial], due))
        finish_trial(entries[-1])
    best = ladder.winner(_scores(arm, entries))
    if best is None:
        raise DivergedError(f"every trial of the search failed; the last: {entries[-1].get('reason')}")
    finalists = [entry for entry in entries if entry.get("length") == entries[-1].get("length")]
    return candidates[best], _ties(_scores(arm, finalists), arm.tie_breaker)


def _try(arm: Arm, candidate: Candidate, due: TrialRun) -> Entry:
    """Fit a candidate on train and evaluate it on val; one that fails says why."""
    before = dataclasses.replace(arm.work)
    try:
        facts = arm.fit(candidate, "train", due)
        prediction = arm.predict("val")
        outcome = facts | {"val": prediction.value, "val_loss": prediction.loss} | prediction.details
    except (DivergedError, AuditError) as error:
        outcome = {"val": None, "val_loss": None, "reason": str(error)}
    return outcome | (arm.work - before).to_dict()


def _scores(arm: Arm, entries: list[Entry]) -> list[tuple[float, ...] | None]:
    """What candidates are ordered by; None for one that failed."""
    return [None if entry["val"] is None else arm.preference(entry) for entry in entries]


def _ties(scores: list[tuple[float, ...] | None], tie_breaker: str) -> dict[str, Any] | None:
    """What is to be said of candidates that are equal to the best but for what breaks ties."""
    finished = [score for score in scores if score is not None]
    equal = [score for score in finished if score[:-1] == max(finished)[:-1]]
    if len(equal) < 2:
        return None
    return {"equal": len(equal), "broken_by": "order" if equal.count(max(equal)) > 1 else tie_breaker}
