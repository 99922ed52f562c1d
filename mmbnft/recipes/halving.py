"""Successive halving: many trials for a short time, the better ones for longer. Arithmetic on scores and lengths alone.

K. Jamieson, A. Talwalkar: Non-stochastic best arm identification and hyperparameter optimization (AISTATS 2016). Each
rung trains its trials from the beginning with a whole schedule of the rung's length, so that scores of one rung compare
and the last rung's training runs are those of an ordinary search.
"""

from collections.abc import Sequence
from dataclasses import dataclass

# Larger is better; a tuple is compared by its first number, then by the next.
Score = float | tuple[float, ...]


@dataclass(frozen=True)
class Rung:
    """One round of a search.

    Attributes:
        trials: How many trials take part at most.
        length: How long each is trained, in epochs or steps.
    """

    trials: int
    length: int


@dataclass(frozen=True)
class TrialRun:
    """A training that is due.

    Attributes:
        trial: Number of the trial.
        length: How long to train it, in epochs or steps.
    """

    trial: int
    length: int


@dataclass(frozen=True)
class Ladder:
    """The rounds of a search; a plain search has one.

    Attributes:
        rungs: From the widest and shortest to the narrowest and longest.
    """

    rungs: tuple[Rung, ...]

    @classmethod
    def build(cls, trials: int, length: int, factor: int = 1, rungs: int = 1) -> "Ladder":
        """Rungs that keep one trial in `factor` each and train it `factor` times as long, the last for `length`.

        A rung that would have a single trial is left out, because its trial is the choice already.

        Args:
            trials: Number of trials in the grid.
            length: Epochs or steps of a whole training.
            factor: From 2 for several rungs.
            rungs: How many there are.
        """
        steps = range(rungs)
        sizes = [max(1, trials // factor**step) for step in steps]
        lengths = [max(1, round(length / factor ** (rungs - 1 - step))) for step in steps]
        wanted = [Rung(size, span) for size, span in zip(sizes, lengths, strict=True)]
        return cls(tuple(rung for number, rung in enumerate(wanted) if rung.trials > 1 or number == 0))

    def next(self, scores: Sequence[Score | None]) -> TrialRun | None:
        """The training that is due after those with the given scores; None when the search is over.

        Args:
            scores: Val scores of the training runs so far in their order; None for one that diverged.
        """
        _, due = self._follow(scores)
        return due

    def winner(self, scores: Sequence[Score | None]) -> int | None:
        """Number of the best trial of the last rung, the first of equals; None if all diverged.

        Args:
            scores: Those of a search that is over.
        """
        finalists, _ = self._follow(scores)
        return finalists[0] if finalists else None

    @property
    def budget(self) -> int:
        """Epochs or steps of the whole search; the same for every arm with this grid."""
        return sum(rung.trials * rung.length for rung in self.rungs)

    def _follow(self, scores: Sequence[Score | None]) -> tuple[list[int], TrialRun | None]:
        """Trials of the rung that has been reached, best first, and the training due in it."""
        alive, start = list(range(self.rungs[0].trials)), 0
        for rung in self.rungs:
            # In the order of the grid, so that ties fall to the same trial whatever the rungs before.
            alive = sorted(alive[: rung.trials])
            seen = scores[start : start + len(alive)]
            if len(seen) < len(alive):
                return alive, TrialRun(alive[len(seen)], rung.length)
            start += len(alive)
            ranked = {trial: score for trial, score in zip(alive, seen, strict=True) if score is not None}
            alive = sorted(ranked, key=lambda trial: ranked[trial], reverse=True)  # stable, so equals keep their order
        return alive, None
