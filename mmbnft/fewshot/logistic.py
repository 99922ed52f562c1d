"""Logistic regression on frozen features, for many episodes at once.

With a few images per class the number of images M is far below the width of the features, so weights are written as
combinations of the images: one coefficient per image and class instead of one per feature and class, and the features
are needed only through the M x M matrix of their inner products. The method is Newton's with directions by conjugate
gradients, stopped early while far from the optimum, and a line search (Dembo and Steihaug 1983; Nocedal and Wright,
Numerical Optimization, 2006, algorithm 7.1). Nothing is factorised, so separable data, duplicate images and a tiny
weight decay cost iterations but no accuracy.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from mmbnft.utils.errors import UserError

# Values of the largest array: small enough for a processor's cache, large enough to keep it busy.
_CHUNK_VALUES = 1 << 20
_MAX_STEPS = 200
_MAX_HALVINGS = 40
_MAX_PRODUCTS = 250
# Half of gradient times step, the quadratic model's estimate of what is left to gain, relative to the objective.
_TOLERANCE = 1e-10


def fit_logistic(features: Tensor, labels: Tensor, classes: int, weight_decay: float) -> tuple[Tensor, Tensor]:
    """Fit one multinomial logistic regression per episode.

    Each episode's weight W and bias b minimise the sum over its images of the cross-entropies plus
    0.5 * weight_decay * ||W||^2; the bias is not penalised. From three classes on this is scikit-learn's
    `LogisticRegression` with C = 1 / weight_decay; for two classes scikit-learn has a single weight vector, which is
    this problem with half its weight decay. The optimum is unique up to a shift of all biases, which are given with
    sum 0.

    Args:
        features: (E, M, D), any floating type; computed in float64.
        labels: int64 (E, M) in 0..classes-1; every class has an image in every episode, otherwise its bias would have
            no optimum.
        classes: Number of classes, at least 2.
        weight_decay: Finite number above 0.

    Returns:
        Weight (E, classes, D) and bias (E, classes) in float64, on the device of the features.

    Raises:
        UserError: Shapes or labels do not fit, a feature is not finite, a class has no image, or the optimum is not
            reached, as may happen where weight_decay is tiny against the features.
    """
    _check(features, labels, classes, weight_decay)
    episodes, images, width = features.shape
    weight = features.new_empty((episodes, classes, width), dtype=torch.float64)
    bias = features.new_empty((episodes, classes), dtype=torch.float64)
    size = max(1, _CHUNK_VALUES // max(images * images, images * width, 1))
    for start in range(0, episodes, size):
        chunk = slice(start, start + size)
        centre = features[chunk].double().mean(dim=1, keepdim=True)
        # The bias takes a common shift of the features up; without it the problem is better conditioned.
        centred = features[chunk].double() - centre
        problem = _Problem(centred, labels[chunk], classes, weight_decay)
        solution = _minimise(problem)
        weight[chunk] = solution.dual @ centred
        bias[chunk] = solution.bias - (weight[chunk] @ centre.mT).squeeze(-1)
        bias[chunk] -= bias[chunk].mean(dim=1, keepdim=True)
    return weight, bias


class _Point(NamedTuple):
    """Weights and biases, or a direction or gradient in their space.

    Attributes:
        dual: Coefficients (E, K, M) of the images in the weights of each class.
        bias: (E, K).
        logits: What they give on the images, (E, K, M).
    """

    dual: Tensor
    bias: Tensor
    logits: Tensor

    def plus(self, factor: Tensor, other: "_Point") -> "_Point":
        """This point plus a multiple, one factor per episode (E,), of another."""
        wide = factor[:, None, None]
        return _Point(
            torch.addcmul(self.dual, wide, other.dual),
            torch.addcmul(self.bias, factor[:, None], other.bias),
            torch.addcmul(self.logits, wide, other.logits),
        )


class _Problem:
    """The objectives of a batch of episodes.

    Args:
        features: Centred features, float64 (E, M, D).
        labels: (E, M).
        classes: Number of classes K.
        weight_decay: Above 0.
    """

    def __init__(self, features: Tensor, labels: Tensor, classes: int, weight_decay: float) -> None:
        self.kernel = features @ features.mT
        self.targets = torch.nn.functional.one_hot(labels, classes).mT.double()
        self.weight_decay = weight_decay
        # Biases are measured in units in which their input is as large as the features: conjugate gradients then
        # need fewer iterations. Episodes of equal images keep a positive unit.
        scale = self.kernel.diagonal(dim1=-2, dim2=-1).mean(dim=-1)
        self.unit = torch.where(scale > 0, scale, 1.0)[:, None]

    def start(self) -> _Point:
        """All zeros."""
        zeros = torch.zeros_like(self.targets)
        return _Point(zeros, zeros[..., 0], zeros)

    def point(self, dual: Tensor, slopes: Tensor) -> _Point:
        """The point with these coefficients whose biases are `slopes` in the biases' own units."""
        bias = self.unit * slopes
        return _Point(dual, bias, torch.baddbmm(bias[..., None], dual, self.kernel))

    def product(self, first: _Point, second: _Point) -> Tensor:
        """Inner product of weights, plus that of biases in their own units, (E,)."""
        weights = ((first.logits - first.bias[..., None]) * second.dual).sum(dim=(1, 2))
        return weights + (first.bias * second.bias / self.unit).sum(dim=1)

    def value(self, point: _Point) -> Tensor:
        """Objective of each episode, (E,)."""
        right = (point.logits * self.targets).sum(dim=1, keepdim=True)
        wrong = (point.logits - right).masked_fill(self.targets > 0, -math.inf)
        # log(1 + sum exp) keeps the digits of a tiny cross-entropy.
        entropies = torch.logaddexp(wrong.logsumexp(dim=1), torch.zeros_like(right[:, 0])).sum(dim=1)
        norms = ((point.logits - point.bias[..., None]) * point.dual).sum(dim=(1, 2))
        return entropies + 0.5 * self.weight_decay * norms

    def gradient(self, point: _Point, probabilities: Tensor) -> _Point:
        """Gradient at a point."""
        wrong = probabilities * (1.0 - self.targets)
        # Not 1 - p, which has no digits left where an image is fitted well.
        wrong = wrong - self.targets * wrong.sum(dim=1, keepdim=True)
        return self.point(torch.add(wrong, point.dual, alpha=self.weight_decay), wrong.sum(dim=-1))

    def curvature(self, direction: _Point, probabilities: Tensor) -> _Point:
        """Hessian times a direction."""
        # A shift of an image's logits changes nothing; relative to the right class nothing cancels.
        logits = direction.logits - (direction.logits * self.targets).sum(dim=1, keepdim=True)
        weighted = probabilities * logits
        change = torch.addcmul(weighted, probabilities, weighted.sum(dim=1, keepdim=True), value=-1.0)
        return self.point(torch.add(change, direction.dual, alpha=self.weight_decay), change.sum(dim=-1))


def _minimise(problem: _Problem) -> _Point:
    """The optimum of every episode of a batch."""
    point = problem.start()
    value = problem.value(point)
    for _ in range(_MAX_STEPS):
        probabilities = point.logits.softmax(dim=1)
        gradient = problem.gradient(point, probabilities)
        step = _newton_step(problem, gradient, probabilities)
        slope = problem.product(gradient, step)
        moving = ~(-slope <= 2 * _TOLERANCE * value)  # so that not-a-number counts as moving
        if not bool(moving.any()):
            return point
        length, point, value = _search(problem, point, step, value, slope, moving)
        if not bool(length.any()):
            break
    raise UserError(
        f"logistic regression did not reach its optimum in {int(moving.sum())} of {len(moving)} episodes; raise "
        "weight_decay or scale the features down"
    )


def _newton_step(problem: _Problem, gradient: _Point, probabilities: Tensor) -> _Point:
    """Solve Hessian x step = -gradient by conjugate gradients, the more exactly the smaller the gradient is."""
    step = problem.start()
    residual = gradient
    squared = first = problem.product(gradient, gradient)
    images = problem.targets.sum(dim=(1, 2))
    # Relative to the gradient at the start of a problem, which is about the number of images times their scale.
    wanted = first * (first / (images**2 * problem.unit[:, 0])).clamp(1e-6, 1e-2)
    direction = problem.start().plus(-torch.ones_like(first), gradient)
    for _ in range(_MAX_PRODUCTS):
        active = squared > wanted
        if not bool(active.any()):
            break
        curved = problem.curvature(direction, probabilities)
        bend = problem.product(direction, curved)
        length = torch.where(active & (bend > 0), squared / bend, 0.0)
        step = step.plus(length, direction)
        residual = residual.plus(length, curved)
        following = problem.product(residual, residual)
        ratio = torch.where(active, following / squared, 0.0)
        squared = torch.where(active, following, squared)
        minus = problem.start().plus(-torch.ones_like(first), residual)
        direction = minus.plus(ratio, direction)
    return step


def _search(
    problem: _Problem, point: _Point, step: _Point, value: Tensor, slope: Tensor, moving: Tensor
) -> tuple[Tensor, _Point, Tensor]:
    """Halve each episode's step until its objective falls enough.

    Returns:
        Length of each step (E,), 0 where an episode need not or cannot move; the points and values reached.
    """
    length = moving.double()
    for _ in range(_MAX_HALVINGS):
        reached = point.plus(length, step)
        found = problem.value(reached)
        # What rounding can do to the objective is no rise.
        enough = found <= value + 1e-4 * length * slope + 1e-14 * value
        if bool(enough.all()):
            return length, reached, found
        length = torch.where(enough, length, length / 2)
    length = torch.where(enough, length, 0.0)
    return length, point.plus(length, step), torch.where(enough, found, value)


def _check(features: Tensor, labels: Tensor, classes: int, weight_decay: float) -> None:
    if features.dim() != 3 or not features.is_floating_point():
        raise UserError(f"features must be floating (E, M, D), got {features.dtype} of shape {tuple(features.shape)}")
    if labels.shape != features.shape[:2] or labels.dtype != torch.int64:
        raise UserError(
            f"labels must be int64 of shape {tuple(features.shape[:2])}, got {labels.dtype} {tuple(labels.shape)}"
        )
    if classes < 2:
        raise UserError(f"logistic regression needs at least 2 classes, got {classes}")
    if not (math.isfinite(weight_decay) and weight_decay > 0):
        raise UserError(f"weight_decay must be a finite number above 0, got {weight_decay}")
    if not bool(torch.isfinite(features).all()):
        raise UserError("features for logistic regression are not all finite; check the images and the checkpoint")
    if labels.numel() and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise UserError(f"labels must lie in 0 to {classes - 1}, got {int(labels.min())} to {int(labels.max())}")
    counts = torch.nn.functional.one_hot(labels, classes).sum(dim=1)
    if not bool((counts > 0).all()):
        episode, label = torch.nonzero(counts == 0)[0].tolist()
        raise UserError(f"class {label} has no image in episode {episode}; every class needs at least one")
