"""What finished trainings say of the checkpoints' targets: a mixture of Gaussian posteriors.

Given the scale s of a task (points by which its checkpoints differ), the target of checkpoint i and the value of a
training of the share f of the whole length are

    y_i = m + s g_i,                      g_i ~ N(mean_i, variance_i) from `Prior`, m flat,
    z_i(f) = y_i + o(f) + s w_i(f) + e,   o(f) flat, e ~ N(0, noise^2),

where o(f) is what all checkpoints gain by training on, and w_i, what checkpoint i gains differently, is a random walk
that is 0 at the whole length, so that a longer training screens off the shorter ones of the same checkpoint. Its
variance grows as what lacks to a learning curve that is a power law of the length, (1 / sqrt(f) - 1) squared. Three
things are not known beforehand: s, the variance of the walk's steps, and whether this task is like the past at all or
the prior has to be flat. Some values of each, with their prior weights, are weighed by how well they explain what was
seen.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import ndtri

from mmbnft.select.past import Prior, without_low_outliers

Array = np.ndarray

# Variances of the walk at the unit of `lag`, alike probable before. By these, trainings of a ninth of the length
# correlate 0.94, 0.80 and 0.56 with whole ones where nothing else is known.
WANDERS = (0.03, 0.14, 0.55)
# How likely a task is to be like those of the past.
LIKE_PAST = 0.8
# Standard deviation, in units of s, of what is called flat above: wide beside any difference between checkpoints.
FLAT = 30.0
# Quantiles of the prior of log s that stand for it.
SCALES = ndtri((np.arange(5) + 0.5) / 5)
SAMPLES = 1000
# Equally probable outcomes of a training by which its worth is judged.
OUTCOMES = ndtri((np.arange(10) + 0.5) / 10)


@dataclass(frozen=True)
class Observation:
    """One finished training.

    Attributes:
        checkpoint: Number of the checkpoint.
        share: Its length as a share of the whole, in (0, 1].
        value: What it reached on val, in percent.
        noise: Standard deviation of `value` over seeds and validation images, in points.
    """

    checkpoint: int
    share: float
    value: float
    noise: float


def lag(share: Array) -> Array:
    """Time of the random walk at some shares of the whole length, 0 at the end."""
    return (1.0 / np.sqrt(share) - 1.0) ** 2


@dataclass(frozen=True)
class Verdict:
    """What a posterior says of taking one checkpoint.

    Attributes:
        pick: Number of the checkpoint with the greatest expected target.
        best: (K,) probability of each checkpoint to be the best.
        close: (K,) probability of each to be within the asked regret of the best.
        regret: Expected regret of the pick, in points.
        interval: The central 95 % of the pick's regret.
    """

    pick: int
    best: Array
    close: Array
    regret: float
    interval: tuple[float, float]


class Belief:
    """The posterior of the targets of K checkpoints.

    Args:
        prior: What was known before.
        seen: Finished trainings.
        wanders: Values of the walk's variance at the unit of `lag`.
        seed: Of the samples.
        failed: Numbers of checkpoints that cannot be trained, and so are never the best.
    """

    def __init__(
        self,
        prior: Prior,
        seen: Sequence[Observation],
        wanders: Sequence[float] = WANDERS,
        seed: int = 0,
        failed: Collection[int] = (),
    ) -> None:
        self.prior, self.seen, self.seed, self._failed = prior, list(seen), seed, sorted(failed)
        centre, width = prior.log_scale
        # Every hypothesis, as arrays of length S.
        axes = np.meshgrid(np.exp(centre + width * SCALES), wanders, (1.0, 0.0), indexing="ij")
        self.scales, self.wanders, like = (axis.ravel() for axis in axes)
        self._prior_logs = np.log(np.where(like == 1.0, LIKE_PAST, 1 - LIKE_PAST))
        # (S, K), in units of s.
        self._means = like[:, None] * prior.mean
        self._variances = np.where(like[:, None] == 1.0, prior.variance, 1.0)
        self._owner = np.array([one.checkpoint for one in seen], dtype=int)
        self._depth = lag(np.array([one.share for one in seen]))
        self._noise = np.array([one.noise for one in seen])
        self._values = np.array([one.value for one in seen])
        for depth in set(self._depth.tolist()):
            level = self._depth == depth
            self._values[level] = without_low_outliers(self._values[level])
        # Values count from a number near them, so that the flat parts do not cost digits.
        self._origin = float(self._values.mean()) if len(seen) else 0.0

    def covariance(self, owner: Array, depth: Array, other: Array, other_depth: Array, flat: float) -> Array:
        """Prior covariance of trainings without their noise under each hypothesis, in points squared.

        Args:
            owner: (N,) numbers of checkpoints.
            depth: (N,) their `lag`.
            other: (M,) as `owner`.
            other_depth: (M,) as `depth`.
            flat: Variance of what is common to all, and to all of one length, in units of s squared.

        Returns:
            (S, N, M).
        """
        same = owner[:, None] == other[None, :]
        shared = np.minimum(depth[:, None], other_depth[None, :])
        level = (depth[:, None] == other_depth[None, :]) & (depth[:, None] > 0)
        own = self._variances[:, owner][:, :, None] + self.wanders[:, None, None] * shared
        return self.scales[:, None, None] ** 2 * (same * own + flat * (1.0 + level))

    def _given(self, owner: Array, depth: Array, flat: float = FLAT**2) -> tuple[Array, Array, Array]:
        """Means (S, N), covariances (S, N, N) and log weights (S,) of trainings under each hypothesis."""
        mean = self.scales[:, None] * self._means[:, owner] + self._origin
        cover = self.covariance(owner, depth, owner, depth, flat)
        if not self.seen:
            return mean, cover, self._prior_logs
        seen = self.covariance(self._owner, self._depth, self._owner, self._depth, flat)
        cross = self.covariance(owner, depth, self._owner, self._depth, flat)
        factor = np.linalg.cholesky(seen + np.diag(self._noise**2 + 1e-9))
        rest = self._values - self._origin - self.scales[:, None] * self._means[:, self._owner]
        white = np.linalg.solve(factor, rest[..., None])
        gain = np.linalg.solve(factor, cross.transpose(0, 2, 1))
        means = mean + (gain.transpose(0, 2, 1) @ white)[..., 0]
        logs = (
            self._prior_logs
            - 0.5 * (white[..., 0] ** 2).sum(axis=1)
            - np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
        )
        # Each length shows one flat part, whose width follows s; that must not count for or against a scale.
        flats = len(set(self._depth.tolist()))
        return means, cover - gain.transpose(0, 2, 1) @ gain, logs + flats * np.log(self.scales)

    @cached_property
    def _targets(self) -> tuple[Array, Array, Array]:
        everyone = np.arange(len(self.prior.mean))
        return self._given(everyone, np.zeros(len(everyone)))

    @property
    def targets(self) -> tuple[Array, Array]:
        """Means (S, K) and covariances (S, K, K) of the targets under each hypothesis."""
        return self._targets[:2]

    @cached_property
    def weights(self) -> Array:
        """(S,) posterior probabilities of the hypotheses."""
        logs = self._targets[2]
        weights = np.exp(logs - logs.max())
        return weights / weights.sum()

    @cached_property
    def mean(self) -> Array:
        """(K,) expected targets in percent; before any training only their differences mean something."""
        mean = self.weights @ self.targets[0]
        mean[self._failed] = -np.inf
        return mean

    @cached_property
    def samples(self) -> Array:
        """(N, K) draws of the targets."""
        generator = np.random.default_rng(self.seed)
        means, covers = self.targets
        count = len(self.prior.mean)
        # Each hypothesis has its share of the samples, up to rounding.
        ends = np.round(np.cumsum(self.weights) * SAMPLES).astype(int)
        # Only differences matter below; the common flat part would drown them in rounding.
        turn = np.eye(count) - 1.0 / count
        values, vectors = np.linalg.eigh(turn @ covers @ turn)
        roots = vectors * np.sqrt(values.clip(min=0.0))[:, None, :]
        parts = np.split(generator.standard_normal((SAMPLES, count)), ends[:-1])
        found = np.concatenate([mean + part @ root.T for mean, root, part in zip(means, roots, parts, strict=True)])
        found[:, self._failed] = -np.inf
        return found

    def verdict(self, regret: float = 0.0) -> Verdict:
        """Which checkpoint to take, and what that may cost.

        Args:
            regret: Points within which a checkpoint counts as good as the best.
        """
        samples, pick = self.samples, int(np.argmax(self.mean))
        count = samples.shape[1]
        top = samples.max(axis=1)
        lost = top - samples[:, pick]
        best = np.bincount(samples.argmax(axis=1), minlength=count) / len(samples)
        close = (samples >= top[:, None] - regret).mean(axis=0)
        low, high = np.quantile(lost, [0.025, 0.975])
        return Verdict(pick, best, close, float(lost.mean()), (float(low), float(high)))

    def worth(self, owner: Array, share: Array, noise: float) -> Array:
        """Points by which one more training is expected to lower the expected regret: the knowledge gradient.

        P. Frazier, W. Powell, S. Dayanik: The knowledge-gradient policy for correlated normal beliefs (INFORMS Journal
        on Computing 21, 2009). The flat parts count as known here: the first training of a length tells nothing by
        itself, and all by those that follow. The hypotheses' covariances are averaged.

        Args:
            owner: (N,) numbers of checkpoints.
            share: (N,) lengths as shares of the whole.
            noise: Standard deviation of a value, in points.

        Returns:
            (N,) points.
        """
        count = len(self.prior.mean)
        numbers = np.concatenate([np.arange(count), owner])
        depths = np.concatenate([np.zeros(count), lag(share)])
        cover = np.tensordot(self.weights, self._given(numbers, depths, flat=0.0)[1], axes=1)
        deviation = np.sqrt(np.diag(cover)[count:] + noise**2)
        moves = cover[:count, count:] / deviation
        # (N, outcomes): the mean of the best pick after each outcome.
        after = (self.mean[:, None, None] + moves[..., None] * OUTCOMES).max(axis=0)
        return (after.mean(axis=1) - self.mean.max()).clip(min=0.0)
