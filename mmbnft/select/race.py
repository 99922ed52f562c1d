"""Who is still in the race, what to train next, and when to stop: decisions on a `Belief`, without any training."""

from dataclasses import dataclass

import numpy as np

from mmbnft.select.belief import Array, Belief, Seen, Verdict

# Lengths of training runs as shares of the whole, each three times the one before, as in Hyperband.
SHARES = (1 / 27, 1 / 9, 1 / 3, 1.0)
# A checkpoint leaves, once each has had its shortest training, when its chance to be as good as the best is below this
# share of an even chance.
LEAVES_BELOW = 0.25
# Whole training runs of one checkpoint, each with a seed of its own.
SEEDS = 3
# A training is chosen by its worth over its length to this power. 1 is the knowledge gradient per cost, which looks one
# training ahead and so buys many short runs that a whole one would have made superfluous; 0 ignores the length.
THRIFT = 0.5


@dataclass(frozen=True)
class Training:
    """One training that could be next.

    Attributes:
        checkpoint: Number of the checkpoint.
        length: Number of its length among those of the rules.
        share: Its length as a share of the whole.
        seed: Its seed.
        worth: Points by which it is expected to lower the expected regret.
    """

    checkpoint: int
    length: int
    share: float
    seed: int
    worth: float


@dataclass(frozen=True)
class Rules:
    """What a race is run by.

    Attributes:
        regret: Points that may be lost: who is likely to be further from the best leaves, and the race stops when it
            expects to lose less.
        shares: Lengths of training runs, growing to 1.
        leaves_below: See `LEAVES_BELOW`.
        seeds: See `SEEDS`.
        thrift: See `THRIFT`.
    """

    regret: float = 0.5
    shares: tuple[float, ...] = SHARES
    leaves_below: float = LEAVES_BELOW
    seeds: int = SEEDS
    thrift: float = THRIFT

    def allowed(self, seen: Seen, racing: Array) -> Array:
        """(R, K, L) runs that could be next: longer ones of each checkpoint, and whole ones with a further seed.

        As long as a checkpoint has had none, only the shortest ones of such checkpoints: nobody is judged by the past
        alone.

        Args:
            seen: Finished training runs.
            racing: (R, K) which checkpoints are in the race.
        """
        trained = seen.count > 0
        # Those of this length or of a longer one.
        reached = np.flip(np.maximum.accumulate(np.flip(trained, 2), 2), 2)
        found: Array = ~reached
        found[..., -1] |= seen.count[..., -1] < self.seeds
        unmet: Array = np.logical_and(racing, ~trained.any(axis=2))
        first = np.zeros_like(found)
        first[..., 0] = unmet
        return np.where(first.any(axis=(1, 2), keepdims=True), first, found & racing[..., None])

    def ratios(
        self, belief: Belief, racing: Array, noise: float, budget: Array, paid: Array | float = 0.0
    ) -> tuple[Array, Array]:
        """What training runs are worth, in points, and that over a power of their length, both (R, K, L).

        Args:
            belief: What is believed.
            racing: (R, K) which checkpoints are in the race.
            noise: Standard deviation of a training's value, in points.
            budget: (R,) what may still be spent, in full training runs.
            paid: (R, K, L) what of each training need not be paid again, in full training runs.

        Returns:
            The second is -inf where a training is not allowed or too long.
        """
        cost = np.maximum(np.array(self.shares) - paid, 1e-9)
        possible = self.allowed(belief.seen, racing) & (cost <= budget[:, None, None] + 1e-9)
        worth = belief.worth(noise)
        return worth, np.where(possible, worth / cost**self.thrift, -np.inf)

    def leaving(self, verdict: Verdict) -> Array:
        """(K,) which checkpoints have no chance left; the pick always has one."""
        gone = verdict.close < self.leaves_below / len(verdict.close)
        gone[verdict.pick] = False
        return gone


@dataclass
class Race:
    """The state of R races.

    Attributes:
        rules: What they are run by.
        racing: (R, K) which checkpoints are still in it.
    """

    rules: Rules
    racing: Array

    def judge(self, belief: Belief) -> list[Verdict]:
        """Let those leave that have no chance, once everyone was trained, and say what is believed."""
        verdicts = belief.verdicts(self.rules.regret)
        for race, verdict in enumerate(verdicts):
            if self.all_met(belief, race):
                self.racing[race] &= ~self.rules.leaving(verdict)
        return verdicts

    def all_met(self, belief: Belief, race: int = 0) -> bool:
        """Whether everyone in a race has had a training."""
        return bool((belief.seen.count[race].any(axis=1) | ~self.racing[race]).all())

    def is_over(self, verdict: Verdict, belief: Belief, race: int = 0) -> bool:
        """Whether so little is expected to be lost that nothing more is worth training."""
        return self.all_met(belief, race) and verdict.regret < self.rules.regret

    def ranked(self, belief: Belief, noise: float, budget: float = np.inf) -> list[Training]:
        """Training runs that could be next in the first race, by what they are worth for their length, best first.

        Args:
            belief: What is believed.
            noise: Standard deviation of a training's value, in points.
            budget: What may still be spent, in full training runs.
        """
        worth, ratio = self.rules.ratios(belief, self.racing, noise, np.array([budget]))
        order = np.argsort(-ratio[0], axis=None, kind="stable")[: np.isfinite(ratio[0]).sum()]
        found = []
        for one, length in zip(*np.unravel_index(order, ratio[0].shape), strict=True):
            seed = int(belief.seen.count[0, one, length])
            points = float(worth[0, one, length])
            found.append(Training(int(one), int(length), self.rules.shares[length], seed, points))
        return found
