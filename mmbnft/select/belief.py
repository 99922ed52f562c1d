"""What finished runs say of the checkpoints' targets: a mixture of Gaussian posteriors, for many races at once.

Given the scale s of a task (points by which its checkpoints differ), the target of checkpoint i and the value of a
training of the share f of the whole length are

    y_i = m + s g_i,                      g_i ~ N(mean_i, variance_i) from `Prior`, m flat,
    z_i(f) = y_i + o(f) + s w_i(f) + e,   o(f) flat, e ~ N(0, noise^2),

where o(f) is what all checkpoints gain by training on, and w_i is what checkpoint i gains differently: 0 at the whole
length, with a variance that grows as what lacks to a learning curve that is a power law of the length,
(1 / sqrt(f) - 1) squared. Four things are not known beforehand: s; that variance; whether w_i is a random walk, so that
a longer training screens off the shorter ones, or a power law with an amplitude of its own, so that two lengths tell
where it goes; and whether this task is like the past at all or the prior has to be flat. Some values of each, with
their prior weights, are weighed by how well they explain what was seen.

Given the offsets o(f) the checkpoints are independent, so that a posterior costs one L x L update for each
of L lengths.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import ndtri

from mmbnft.select.past import FAR, LEAST_CHECKPOINTS, Prior

Array = np.ndarray

# Variances of w at the unit of `lag`, alike probable before. By these, training runs of a ninth of the length correlate
# 0.94, 0.80 and 0.56 with whole ones where nothing else is known.
WANDERS = (0.03, 0.14, 0.55)
# Shares of a power law in w, the rest being a random walk; alike probable before.
POWER_LAWS = (0.0, 0.9)
# How likely a task is to be like those of the past.
LIKE_PAST = 0.95
# Standard deviation of a result over seeds, in points.
SEED_NOISE = 0.3
# Quantiles of the prior of log s that stand for it.
SCALES = ndtri((np.arange(5) + 0.5) / 5)
SAMPLES = 600
# Equally probable outcomes of a training by which its worth is judged.
OUTCOMES = ndtri((np.arange(10) + 0.5) / 10)
# Precision of the offset of a length, in 1 / points squared: flat.
FLAT = 1e-9


def lag(share: Array) -> Array:
    """What lacks to a power law at some shares of the whole length, squared; 0 at the end."""
    return (1.0 / np.sqrt(share) - 1.0) ** 2


@dataclass
class Seen:
    """Finished training runs of R races among K checkpoints with L lengths, as the sums a posterior needs.

    Attributes:
        count: (R, K, L) number of training runs.
        precision: (R, K, L) sum of 1 / noise^2.
        total: (R, K, L) sum of value / noise^2, values in percent and noise in points.
    """

    count: Array
    precision: Array
    total: Array

    @classmethod
    def nothing(cls, races: int, checkpoints: int, lengths: int) -> "Seen":
        """No training yet."""
        shape = (races, checkpoints, lengths)
        return cls(np.zeros(shape, dtype=int), np.zeros(shape), np.zeros(shape))

    def add(self, where: tuple[Array, Array, Array], value: Array, noise: Array | float) -> None:
        """Count further training runs.

        Args:
            where: Number of the race, checkpoint and length of each of N training runs, none twice.
            value: (N,) what they reached on val, in percent.
            noise: Standard deviation of `value` over seeds and validation images, in points.
        """
        self.count[where] += 1
        self.precision[where] += 1 / np.square(noise)
        self.total[where] += value / np.square(noise)

    def centred(self) -> tuple[Array, Array]:
        """Means less their median over the checkpoints, (R, K, L) with 0 where there is none, and the medians, (R, L).

        Values far below the others of their length are drawn in, as `without_low_outliers` does: how far a bad
        checkpoint lags is of no interest.
        """
        have = self.count > 0
        mean = np.where(have, self.total / np.where(have, self.precision, 1.0), np.nan)
        middle = _median(mean)
        spread = 1.4826 * _median(np.abs(mean - middle))
        judged = (have.sum(axis=1, keepdims=True) >= LEAST_CHECKPOINTS) & (spread > 0)
        mean = np.where(judged, np.maximum(mean, middle - FAR * spread), mean)
        return np.where(have, mean - middle, 0.0), middle[:, 0]


def _median(values: Array) -> Array:
    """Median over the checkpoints, (R, 1, L), NaN where there is none."""
    ordered, count = np.sort(values, axis=1), np.isfinite(values).sum(axis=1, keepdims=True)
    pair = [np.take_along_axis(ordered, np.maximum(count - 1 + more, 0) // 2, axis=1) for more in (0, 1)]
    return (pair[0] + pair[1]) / 2


@dataclass(frozen=True)
class Verdict:
    """What a posterior says of taking one checkpoint.

    Attributes:
        pick: Number of the checkpoint with the greatest expected target.
        best: (K,) probability of each checkpoint to be the best.
        close: (K,) probability of each to be within the asked regret of the best.
        regret: Expected regret of the pick, in points.
        upper: The pick's regret is at most this with a probability of 95 %.
    """

    pick: int
    best: Array
    close: Array
    regret: float
    upper: float


class Belief:
    """The posteriors of the targets of K checkpoints in R races that share a prior.

    Args:
        prior: What was known before.
        shares: (L,) lengths of training runs as shares of the whole, growing to 1.
        seen: Finished training runs.
        failed: Numbers of checkpoints that cannot be trained, and so are never the best.
        curves: (W, P) prior weights of the `WANDERS` and `POWER_LAWS`; alike where none is given.
        seed: Of the samples.
    """

    def __init__(
        self,
        prior: Prior,
        shares: Sequence[float],
        seen: Seen,
        failed: Collection[int] = (),
        curves: Array | None = None,
        seed: int = 0,
    ) -> None:
        self.seen, self._failed, self._seed = seen, sorted(failed), seed
        centre, width = prior.log_scale
        # Every hypothesis, as arrays of length S.
        axes = np.meshgrid(np.exp(centre + width * SCALES), WANDERS, (1.0, 0.0), POWER_LAWS, indexing="ij")
        self.scales, wander, like, power = (axis.ravel() for axis in axes)
        weights = np.ones((len(WANDERS), len(POWER_LAWS))) if curves is None else curves
        told = np.broadcast_to(weights[:, None], axes[0].shape).ravel()
        self._prior_logs = np.log(told * np.where(like == 1.0, LIKE_PAST, 1 - LIKE_PAST))
        depth = lag(np.asarray(shares))
        walk, law = np.minimum.outer(depth, depth), np.sqrt(np.multiply.outer(depth, depth))
        ways = wander[:, None, None] * (power[:, None, None] * law + (1 - power)[:, None, None] * walk)
        variance = np.where(like[:, None] == 1.0, prior.variance, 1.0)
        self._centre = (self.scales * like)[:, None] * prior.mean
        cover = variance[:, :, None, None] + ways[:, None]
        self._condition((self.scales**2)[:, None, None, None] * cover)

    def _condition(self, cover: Array) -> None:
        """Posteriors under each hypothesis, from the (S, K, L, L) covariances given the offsets."""
        seen = self.seen
        precision = seen.precision[:, None]
        # One rank-one update for each length.
        cover = np.broadcast_to(cover, (len(seen.count), *cover.shape)).copy()
        logs = np.broadcast_to(self._prior_logs, cover.shape[:2]).copy()
        for length in range(cover.shape[-1]):
            column, strength = cover[..., length].copy(), precision[..., length]
            ratio = 1 + strength * column[..., length]
            cover -= (strength / ratio)[..., None, None] * column[..., :, None] * column[..., None, :]
            logs -= 0.5 * np.log(ratio).sum(axis=2)
        values, middle = seen.centred()
        rest = np.where(precision > 0, values[:, None] - self._centre[:, :, None], 0.0)
        # Precision of the offsets, and what speaks for them: sums over the checkpoints of P - P cover P.
        scaled = precision * rest
        pull = scaled - precision * np.einsum("rskij,rskj->rski", cover, scaled)
        offsets = -np.einsum("rki,rskij,rkj->rsij", seen.precision, cover, seen.precision, optimize=True)
        diagonal = np.arange(cover.shape[-1])
        offsets[..., diagonal, diagonal] += seen.precision.sum(axis=1)[:, None] + FLAT
        told = pull.sum(axis=2)
        self._offset_cover = np.linalg.inv(offsets)
        offset = np.einsum("rsij,rsj->rsi", self._offset_cover, told)
        logs += 0.5 * ((told * offset).sum(axis=2) - (rest * pull).sum(axis=(2, 3)) - np.linalg.slogdet(offsets)[1])
        weights = np.exp(logs - logs.max(axis=1, keepdims=True))
        self.weights = weights / weights.sum(axis=1, keepdims=True)
        self._cover, self._gain = cover, cover * precision[..., None, :]
        # Less the offset of the whole length, common to all targets.
        found = np.einsum("rskj,rskj->rsk", self._gain[..., -1, :], rest - offset[:, :, None])
        self.means = self._centre + found
        self.mean = np.einsum("rs,rsk->rk", self.weights, self.means)
        self.mean[:, self._failed] = -np.inf
        self._level = middle[:, -1] + np.einsum("rs,rs->r", self.weights, offset[..., -1])

    @property
    def expected(self) -> Array:
        """(R, K) expected targets in percent; NaN before any whole training, where only differences are known."""
        return self.mean + self._level[:, None]

    @property
    def curves(self) -> Array:
        """(R, W, P) posterior weights of the `WANDERS` and `POWER_LAWS`."""
        shape = (-1, len(SCALES), len(WANDERS), 2, len(POWER_LAWS))
        return self.weights.reshape(shape).sum(axis=(1, 3))

    @cached_property
    def samples(self) -> Array:
        """(R, N, K) draws of the targets, less what is common to all."""
        generator = np.random.default_rng(self._seed)
        races, _, count, lengths = self._gain.shape[:4]
        # Each hypothesis has its share of the samples, up to rounding.
        steps = (np.arange(SAMPLES) + 0.5) / SAMPLES
        ends = np.cumsum(self.weights, axis=1)
        which = (steps[:, None] > ends[:, None, :]).sum(axis=2).clip(max=ends.shape[1] - 1)
        at = (np.arange(races)[:, None], which)
        roots = np.linalg.cholesky(self._offset_cover)[at]
        offset = np.einsum("rnij,nj->rni", roots, generator.standard_normal((SAMPLES, lengths)))
        own = np.sqrt(self._cover[..., -1, -1][at]) * generator.standard_normal((SAMPLES, count))
        found = self.means[at] + own - np.einsum("rnkl,rnl->rnk", self._gain[..., -1, :][at], offset)
        found[..., self._failed] = -np.inf
        return found

    def verdicts(self, regret: float = 0.0) -> list[Verdict]:
        """Which checkpoint to take in each race, and what that may cost.

        Args:
            regret: Points within which a checkpoint counts as good as the best.
        """
        pick, top = self.mean.argmax(axis=1), self.samples.max(axis=2)
        lost = top - np.take_along_axis(self.samples, pick[:, None, None], axis=2)[..., 0]
        close = (self.samples >= top[..., None] - regret).mean(axis=1)
        best = (self.samples == top[..., None]).mean(axis=1)
        upper = np.quantile(lost, 0.95, axis=1, method="higher")
        told = zip(pick.tolist(), best, close, lost.mean(axis=1).tolist(), upper.tolist(), strict=True)
        return [Verdict(*one) for one in told]

    def worth(self, noise: float) -> Array:
        """Points by which one more training is expected to lower the expected regret: the knowledge gradient.

        P. Frazier, W. Powell, S. Dayanik: The knowledge-gradient policy for correlated normal beliefs (INFORMS Journal
        on Computing 21, 2009). An offset of which nothing is known counts as known here: the first training of a length
        tells nothing by itself, and all by those that follow. The hypotheses' covariances are averaged.

        Args:
            noise: Standard deviation of a value, in points.

        Returns:
            (R, K, L) points.
        """
        known = self.seen.precision.sum(axis=1) > 0
        offsets = self._offset_cover * (known[:, None, :, None] & known[:, None, None, :])
        # A training shows its checkpoint's own part and, through the offsets, a little of the others'.
        load = np.eye(offsets.shape[-1]) - self._gain
        along = np.einsum("rskl,rslm->rskm", self._gain[..., -1, :], offsets)
        cover = -np.einsum("rs,rskm,rsjlm->rkjl", self.weights, along, load, optimize=True)
        diagonal = np.arange(cover.shape[1])
        cover[:, diagonal, diagonal] += np.einsum("rs,rskl->rkl", self.weights, self._cover[..., -1, :])
        variance = np.einsum("rskll->rskl", self._cover)
        variance = variance + np.einsum("rsjlm,rsmn,rsjln->rsjl", load, offsets, load, optimize=True)
        moves = cover / np.sqrt(np.einsum("rs,rskl->rkl", self.weights, variance) + noise**2)[:, None]
        # The mean of the best pick after each outcome.
        mean = self.mean[:, :, None, None]
        after = sum((mean + outcome * moves).max(axis=1) for outcome in OUTCOMES) / len(OUTCOMES)
        return (after - self.mean.max(axis=1)[:, None, None]).clip(min=0.0)
