"""L2-regularised logistic regression at many weight decays, solved to a stated accuracy.

Objective, as in scikit-learn's LogisticRegression with C = 1 / weight_decay: C * sum_i loss_i + ||W||^2 / 2, the
intercept free. The loss is the softmax cross-entropy; with two classes, and for every class of a multi-label task, it
is the binary cross-entropy of one weight vector.

Every third weight decay is solved along a path from the largest down, from a guess extrapolated in log(weight_decay);
the others, several side by side, from interpolated guesses.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mmbnft.evaluation.solvers.logistic_loss import Sigmoid, Softmax
from mmbnft.evaluation.solvers.newton import Newton, Point, SharedDesign, length_scale
from mmbnft.utils.errors import UserError

TOLERANCE = 1e-7
STRIDE = 3
BATCH = 1 << 20  # logits held at once; more neither fit a processor's cache nor are solved in as few passes
NEVER = -1e30  # intercept of a class without a training image, finite so that scores are


@dataclass(frozen=True)
class Solution:
    """The optimum at one weight decay.

    Attributes:
        weight_decay: 1 / C.
        weight: (D, K) on the CPU.
        intercept: (K,).
        objective: C * loss + ||W||^2 / 2.
        slack: Estimate of what is left to gain, see `solve_grid`; for a multi-label task, the largest of any class.
        converged: Whether `slack` is at most the tolerance.
        iterations: Passes over the features, forward and backward.
    """

    weight_decay: float
    weight: Tensor
    intercept: Tensor
    objective: float
    slack: float
    converged: bool
    iterations: int

    def scores(self, features: Tensor) -> Tensor:
        """Class scores (N, K) of features (N, D): logits."""
        return features.to(self.weight) @ self.weight + self.intercept


def solve_grid(
    features: Tensor, labels: Tensor, classes: int, weight_decays: Sequence[float], tolerance: float = TOLERANCE
) -> list[Solution]:
    """Solve logistic regression at every weight decay.

    A problem counts as solved when g' M^-1 g / 2, an estimate of what is left to gain with gradient g and approximate
    second derivative M, is at most `tolerance` of the objective and of what was gained over a constant prediction.
    What float32 cannot solve goes on in float64; what that cannot is marked as not converged.

    Args:
        features: (N, D) of any float type.
        labels: int64 (N,) class numbers, or (N, classes) in {0, 1} for a multi-label task.
        classes: Number of classes. One that no image shows (or, multi-label, that all show) gets a constant score.
        weight_decays: Positive, in any order.
        tolerance: See above.

    Returns:
        One solution for each weight decay, in their order.

    Raises:
        UserError: A feature is not finite, shapes disagree, or fewer than two classes are present.
    """
    _check(features, labels, classes)
    grid = _Grid(features, labels, classes, tolerance)
    grid.solve(sorted(set(weight_decays), reverse=True))
    return [grid.solution(value) for value in weight_decays]


def _check(features: Tensor, labels: Tensor, classes: int) -> None:
    if features.dim() != 2 or labels.shape not in ((len(features),), (len(features), classes)):
        raise UserError(
            f"features must be (n, d) and labels (n,) or (n, {classes}), got shapes {tuple(features.shape)} and "
            f"{tuple(labels.shape)}"
        )
    if not bool(torch.isfinite(features).all()):
        raise UserError("features must be finite, got NaN or infinity; check the checkpoint with its load certificate")


class _Grid:
    """One regression problem and the weight decays solved so far."""

    def __init__(self, features: Tensor, labels: Tensor, classes: int, tolerance: float) -> None:
        self.classes = classes
        self.mean = features.double().mean(0)
        self.centred = features.double() - self.mean
        # What rounding leaves of a constant feature must not be taken for information.
        self.centred[:, self.centred.abs().amax(0) <= 1e-9 * self.mean.abs()] = 0
        self.unit = length_scale(self.centred)
        self.tolerance = tolerance if bool(self.centred.any()) else math.inf  # the prior is the optimum then
        self.binary = labels.dim() == 1 and classes == 2
        hot = labels if labels.dim() == 2 else torch.nn.functional.one_hot(labels, classes)
        self.share = hot.double().mean(0)
        self.varied = ((self.share > 0) & (self.share < 1)).nonzero()[:, 0]
        if not len(self.varied):
            raise UserError(f"labels must differ between images, got the same for all {len(features)}; check the lists")
        self.labels = hot[:, self.varied] if labels.dim() == 2 else labels
        self.points: dict[float, Point] = {}

    def _newton(self, dtype: torch.dtype) -> Callable[[list[float]], Newton]:
        design, loss = SharedDesign(self.centred.to(dtype), self.unit), self._loss(dtype)
        return lambda decays: Newton(design, loss, 1 / torch.tensor(decays, dtype=dtype), self.tolerance)

    def _loss(self, dtype: torch.dtype) -> Softmax | Sigmoid:
        if self.binary:
            return Sigmoid(self.labels[:, None], dtype)
        if self.labels.dim() == 2:
            return Sigmoid(self.labels, dtype)
        return Softmax(torch.searchsorted(self.varied, self.labels), dtype)

    def solve(self, decays: list[float]) -> None:
        """Solve at `decays`, the largest first."""
        newton = self._newton(torch.float32)
        path = decays[::STRIDE] + ([decays[-1]] if (len(decays) - 1) % STRIDE else [])
        for decay in path:
            self._keep([decay], newton([decay]).solve(self._guess(decay, 3)))
        between = [decay for decay in decays if decay not in self.points]
        size = max(1, BATCH // (len(self.centred) * len(self.varied)))
        for start in range(0, len(between), size):
            batch = between[start : start + size]
            guesses = torch.cat([self._guess(decay, 4) for decay in batch], 1)
            self._keep(batch, newton(batch).solve(guesses))
        hard = [decay for decay in decays if bool((self.points[decay].slack > self.tolerance).any())]
        precise = self._newton(torch.float64) if hard else newton
        for decay in hard:
            before = self.points[decay]
            point = precise([decay]).solve(before.weights.double())
            self.points[decay] = dataclasses.replace(point, passes=before.passes + point.passes)

    def _keep(self, decays: list[float], point: Point) -> None:
        for number, decay in enumerate(decays):
            one = slice(number, number + 1)
            self.points[decay] = dataclasses.replace(
                point, weights=point.weights[:, one], objective=point.objective[:, one], slack=point.slack[:, one]
            )

    def _guess(self, decay: float, count: int) -> Tensor:
        """Weights (D + 1, 1, K): the polynomial in log(weight decay) through the nearest `count` solved ones."""
        near = sorted(self.points, key=lambda known: abs(math.log(known / decay)))[:count]
        if not near:
            loss = self._loss(torch.float32)
            weights = torch.zeros(self.centred.shape[1] + 1, 1, loss.prior.shape[1], device=self.centred.device)
            weights[-1] = loss.prior / self.unit
            return weights
        places = [math.log(known) for known in near]
        guess = torch.zeros_like(self.points[near[0]].weights)
        for place, known in zip(places, near, strict=True):
            others = [other for other in places if other != place]
            share = math.prod((math.log(decay) - other) / (place - other) for other in others)
            guess += share * self.points[known].weights
        return guess

    def solution(self, decay: float) -> Solution:
        """What was found at `decay`, for the features as they were handed over."""
        point = self.points[decay]
        weight = point.weights[:-1, 0].double()
        intercept = point.weights[-1, 0].double() * self.unit - self.mean @ weight
        if self.binary:
            weight, intercept = torch.cat([-weight, weight], 1) / 2, torch.cat([-intercept, intercept]) / 2
        else:
            every = weight.new_zeros(len(weight), self.classes)
            every[:, self.varied] = weight
            constant = torch.where(self.share > 0, -NEVER, NEVER).double()
            weight, intercept = every, constant.index_copy(0, self.varied, intercept)
        slack = float(point.slack.max())
        return Solution(
            decay,
            weight.cpu(),
            intercept.cpu(),
            float(point.objective.sum()),
            slack,
            slack <= self.tolerance,
            point.passes,
        )
