"""Who is still in the race, what to train next, and when to stop: decisions on a `Belief`, without any training."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from mmbnft.select.belief import Belief, Observation, Verdict

# Lengths of trainings as shares of the whole, each three times the one before, as in Hyperband.
SHARES = (1 / 27, 1 / 9, 1 / 3, 1.0)
# A checkpoint leaves, once each has had its shortest training, when its chance to be as good as the best is below this
# share of an even chance.
LEAVES_BELOW = 0.25
# Whole trainings of one checkpoint, each with a seed of its own.
SEEDS = 3


@dataclass(frozen=True)
class Training:
    """One training that could be next.

    Attributes:
        checkpoint: Number of the checkpoint.
        share: Its length as a share of the whole.
        seed: Its seed.
        worth: Points by which it is expected to lower the expected regret.
    """

    checkpoint: int
    share: float
    seed: int = 0
    worth: float = 0.0


@dataclass(frozen=True)
class Rules:
    """What a race is run by.

    Attributes:
        regret: Points that may be lost: who is likely to be further from the best leaves, and the race stops when it
            expects to lose less.
        shares: Lengths of trainings, growing to 1.
        leaves_below: See `LEAVES_BELOW`.
        seeds: See `SEEDS`.
    """

    regret: float = 0.5
    shares: tuple[float, ...] = SHARES
    leaves_below: float = LEAVES_BELOW
    seeds: int = SEEDS

    def leaving(self, verdict: Verdict, racing: Collection[int]) -> list[int]:
        """Numbers of the checkpoints that have no chance left; the pick always has one.

        Args:
            verdict: What is believed.
            racing: Numbers of those still in the race.
        """
        bound = self.leaves_below / len(verdict.close)
        return [one for one in sorted(racing) if one != verdict.pick and verdict.close[one] < bound]

    def options(self, seen: Sequence[Observation], racing: Collection[int]) -> list[Training]:
        """Trainings that could be next: the longer lengths of each checkpoint, and whole ones with a further seed.

        As long as a checkpoint has had none, only the shortest ones of such checkpoints: nobody is judged by the past
        alone.

        Args:
            seen: Finished trainings.
            racing: Numbers of the checkpoints in the race.
        """
        met = {training.checkpoint for training in seen}
        if new := sorted(set(racing) - met):
            return [Training(one, self.shares[0]) for one in new]
        found = []
        for one in sorted(racing):
            lengths = [training.share for training in seen if training.checkpoint == one]
            longest, whole = max(lengths, default=0.0), lengths.count(1.0)
            found += [Training(one, share) for share in self.shares if share > longest]
            if 0 < whole < self.seeds:
                found.append(Training(one, 1.0, whole))
        return found


@dataclass
class Race:
    """The state of a race.

    Attributes:
        rules: What it is run by.
        racing: Numbers of the checkpoints still in it.
        left: Number of each other checkpoint to how many trainings had finished when it left.
    """

    rules: Rules
    racing: set[int]
    left: dict[int, int] = field(default_factory=dict)

    def judge(self, belief: Belief) -> Verdict:
        """Let those leave that have no chance, and say what is believed."""
        verdict = belief.verdict(self.rules.regret)
        met = {training.checkpoint for training in belief.seen}
        if not self.racing <= met:
            return verdict
        for one in self.rules.leaving(verdict, self.racing):
            self.racing.remove(one)
            self.left[one] = len(belief.seen)
        return verdict

    def is_over(self, verdict: Verdict, belief: Belief) -> bool:
        """Whether so little is expected to be lost that nothing more is worth training."""
        met = {training.checkpoint for training in belief.seen}
        return self.racing <= met and verdict.regret < self.rules.regret

    def ranked(self, belief: Belief, noise: float, budget: float = np.inf) -> list[Training]:
        """Trainings that could be next, by what they are worth for their length, best first.

        Args:
            belief: What is believed.
            noise: Standard deviation of a training's value, in points.
            budget: What may still be spent, in whole trainings.
        """
        options = [one for one in self.rules.options(belief.seen, self.racing) if one.share <= budget + 1e-9]
        if not options:
            return []
        shares = np.array([one.share for one in options])
        worth = belief.worth(np.array([one.checkpoint for one in options]), shares, noise)
        return [
            Training(options[n].checkpoint, options[n].share, options[n].seed, float(worth[n]))
            for n in np.argsort(-worth / shares, kind="stable")
        ]
