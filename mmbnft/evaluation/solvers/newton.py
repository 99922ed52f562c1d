"""Truncated Newton steps for several logistic regressions side by side: on shared features, or each on its own.

Newton's systems are solved by conjugate gradients (Nocedal and Wright, Numerical Optimization, 2006, ch. 7). The
preconditioner is an approximation of the features' covariance by its leading directions, scaled by the images' weights
in the curvature, times the mean curvature between classes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from mmbnft.evaluation.solvers.logistic_loss import Sigmoid, Softmax, Terms

MAX_CG, MAX_HALVINGS = 100, 30
FORCING = 0.1  # how far conjugate gradients reduce what a step leaves, at least
PATIENCE = 4  # steps that neither halve what is left to gain nor lower the objective by PROGRESS, relatively
PROGRESS = 1e-5
RANK, OVERSAMPLING = 128, 16
SUFFICIENT = 1e-4  # share of the predicted decrease that a step must reach

Inverse = Callable[[Tensor], Tensor]


def length_scale(features: Tensor) -> float:
    """Root mean square length of centred features (N, D); 1 where all are zero."""
    return float(features.norm()) / math.sqrt(len(features)) or 1.0


class Design(Protocol):
    """Centred features and one constant column that carries the intercept.

    Attributes:
        images: Number of images N of a problem.
        like: A tensor of the dtype and on the device of the features.
    """

    images: int
    like: Tensor

    def logits(self, weights: Tensor) -> Tensor:
        """(N, B, K) of weights (D + 1, B, K)."""

    def pull(self, residual: Tensor) -> Tensor:
        """(D + 1, B, K), the derivative by the weights of what has this derivative (N, B, K) by the logits."""

    def inverse(self, weights: Tensor, scale: Tensor) -> Inverse:
        """Approximate inverses of 1 + scale * sum_i weight_i x_i x_i^T.

        Args:
            weights: Of the images, (B, N).
            scale: (B, K), 0 or more.

        Returns:
            What applies them to a tensor (D + 1, B, K).
        """


class SharedDesign:
    """Features that all problems share, with their leading directions (Frangella, Tropp and Udell, 2023).

    Args:
        features: (N, D), centred.
        unit: Value of the constant column; `length_scale(features)` makes a change of the intercept and one of the
            weights weigh alike in a norm.
    """

    def __init__(self, features: Tensor, unit: float) -> None:
        count, width = features.shape
        self.images, self.like = count, features
        self.matrix = torch.nn.functional.pad(features, (0, 1), value=unit)  # (N, D + 1)
        # (D + 1, N) in memory: a product with few columns is up to three times as fast that way.
        self.transposed = self.matrix.T.contiguous()
        self.lengths = self.matrix.square().sum(1)
        rank = min(RANK, count, width)
        generator = torch.Generator(device="cpu").manual_seed(0)
        sketch = torch.randn(width, min(rank + OVERSAMPLING, width), generator=generator, dtype=features.dtype)
        probe = features @ sketch.to(features.device)
        for _ in range(2):
            probe = features @ torch.linalg.qr(features.T @ probe).Q
        row_space = torch.linalg.qr(features.T @ torch.linalg.qr(probe).Q)
        directions = row_space.Q @ torch.linalg.svd(row_space.R).U[:, :rank]
        # (D + 1, R) orthonormal; the constant column is a direction of its own.
        self.basis = torch.block_diag(directions, torch.ones(1, 1, dtype=features.dtype, device=features.device))
        self.squares = (self.matrix @ self.basis).square()  # (N, R) squared coordinates of the images in that basis
        self.spare = width - directions.shape[1]  # directions beyond the leading ones

    def logits(self, weights: Tensor) -> Tensor:
        """See `Design`."""
        return (self.matrix @ weights.flatten(1)).unflatten(1, weights.shape[1:])

    def pull(self, residual: Tensor) -> Tensor:
        """See `Design`."""
        return (self.transposed @ residual.flatten(1)).unflatten(1, residual.shape[1:])

    def inverse(self, weights: Tensor, scale: Tensor) -> Inverse:
        """See `Design`."""
        leading = weights @ self.squares  # (B, R)
        tail = ((weights @ self.lengths - leading.sum(1)) / max(self.spare, 1)).clamp(min=0)
        # The leading directions are known to rounding only, and what is left of them must not be amplified.
        tail = leading.amin(1) if not self.spare else torch.maximum(tail, 1e-6 * leading.amax(1))
        rest = 1 / (1 + tail[:, None] * scale)
        gain = (1 / (1 + leading[:, :, None] * scale[:, None])).transpose(0, 1) - rest

        def apply(vector: Tensor) -> Tensor:
            lead = (self.basis.T @ vector.flatten(1)).unflatten(1, vector.shape[1:]) * gain
            return vector * rest + (self.basis @ lead.flatten(1)).unflatten(1, vector.shape[1:])

        return apply


class EpisodeDesign:
    """Features of each problem's own, in the coordinates of their principal directions.

    Args:
        features: (B, N, R), centred, their columns orthogonal to each other.
        unit: (B,) value of the constant column, as for `SharedDesign`.
    """

    def __init__(self, features: Tensor, unit: Tensor) -> None:
        self.images, self.like = features.shape[1], features
        constant = unit[:, None, None].expand(-1, self.images, 1)
        self.matrix = torch.cat([features, constant], 2)  # (B, N, R + 1)
        self.squares = self.matrix.square()

    def logits(self, weights: Tensor) -> Tensor:
        """See `Design`."""
        return torch.bmm(self.matrix, weights.transpose(0, 1)).transpose(0, 1)

    def pull(self, residual: Tensor) -> Tensor:
        """See `Design`."""
        return torch.bmm(self.matrix.mT, residual.transpose(0, 1)).transpose(0, 1)

    def inverse(self, weights: Tensor, scale: Tensor) -> Inverse:
        """See `Design`."""
        leading = torch.bmm(weights[:, None], self.squares)[:, 0]  # (B, R + 1)
        gain = (1 / (1 + leading[:, :, None] * scale[:, None])).transpose(0, 1)
        return lambda vector: vector * gain


class _Preconditioner:
    """Approximate inverse of the second derivative at one point."""

    def __init__(self, design: Design, loss: Softmax | Sigmoid, state: Tensor, cost: Tensor) -> None:
        values, self.vectors = loss.curvature(state)
        self.inverse = design.inverse(loss.weights(state), cost.reshape(-1, 1) * values)

    def __call__(self, vector: Tensor) -> Tensor:
        turned = self.inverse(torch.einsum("dbk,bkl->dbl", vector, self.vectors))
        return torch.einsum("dbl,bkl->dbk", turned, self.vectors)


@dataclass
class Point:
    """Weights on the way to their optimum.

    Attributes:
        weights: (D + 1, B, K); the last row is the intercept over the design's unit.
        objective: float64 for each problem.
        slack: Estimate of what is left to gain, relative, for each problem.
        steps: Newton steps taken.
        passes: Passes over the features, forward and backward, of each problem.
    """

    weights: Tensor
    objective: Tensor
    slack: Tensor
    steps: int = 0
    passes: int = 0


class Newton:
    """Minimises cost * loss + ||W||^2 / 2 for B costs side by side.

    A problem is solved when what is left to gain, as the quadratic model with the preconditioner's curvature estimates
    it, is at most `tolerance` of the objective and of what has been gained over a constant prediction. The second
    matters at large weight decays, where the objective hardly depends on W.

    Args:
        design: The features.
        loss: The loss on their labels.
        costs: (B,), the loss's weight C in each objective.
        tolerance: See above.
    """

    MAX_STEPS = 100

    def __init__(self, design: Design, loss: Softmax | Sigmoid, costs: Tensor, tolerance: float) -> None:
        self.design, self.loss, self.tolerance = design, loss, tolerance
        self.costs = costs.to(design.like)[None, :, None]
        constant = loss.terms(loss.prior.to(design.like).repeat(design.images, 1, 1))
        self.baseline = self.costs.double() * constant.loss

    def solve(self, weights: Tensor) -> Point:
        """Start from `weights` (D + 1, B, K) and go on until every problem is solved or none comes closer any more."""
        weights, logits, passes, stale = weights.clone(), self.design.logits(weights), 1, 0
        terms = self.loss.terms(logits)
        best = lowest = torch.full_like(self.baseline, torch.inf)
        for step in range(self.MAX_STEPS + 1):
            gradient = self.costs * self.design.pull(terms.residual) + _penalised(weights)
            precondition = _Preconditioner(self.design, self.loss, terms.state, self.costs)
            objective = self._objective(terms, weights)
            scale = torch.minimum(objective, self.baseline - objective).clamp(min=1e-300)
            point = Point(
                weights, objective, self._dot(gradient, precondition(gradient)).abs() / 2 / scale, step, passes
            )
            open_ = point.slack > self.tolerance
            closer = (point.slack < best / 2) | (objective < lowest * (1 - PROGRESS))
            stale = 0 if bool((open_ & closer).any()) else stale + 1
            best, lowest = torch.minimum(best, point.slack), torch.minimum(lowest, objective)
            if step == self.MAX_STEPS or stale > PATIENCE or not bool(open_.any()):
                return point
            direction, moved, used = self._direction(gradient * open_, terms.state, precondition, point, scale)
            length = self._line_search(point, logits, moved, direction, gradient)
            if not bool((length > 0).any()):
                return point
            weights, logits = weights + length * direction, logits + length * moved
            terms, passes = self.loss.terms(logits), passes + used + 1
        raise AssertionError("unreachable")

    def _dot(self, first: Tensor, second: Tensor) -> Tensor:
        return (first * second).sum(self.loss.within, keepdim=True, dtype=torch.float64)

    def _objective(self, terms: Terms, weights: Tensor) -> Tensor:
        return self.costs.double() * terms.loss + self._dot(weights[:-1], weights[:-1]) / 2

    def _direction(
        self, gradient: Tensor, state: Tensor, precondition: _Preconditioner, point: Point, scale: Tensor
    ) -> tuple[Tensor, Tensor, int]:
        """Newton's direction by conjugate gradients, what it does to the logits, and the passes it took."""
        direction, moved, left = torch.zeros_like(gradient), torch.zeros_like(state), -gradient
        search = ahead = precondition(left)
        slope = self._dot(left, ahead)
        # Near the optimum one step should do; far from it, precision would be wasted on a wrong model.
        goal = torch.maximum(slope * point.slack.clamp(max=FORCING), self.tolerance * scale).clamp(max=slope / 4)
        for used in range(1, MAX_CG + 1):
            change = self.design.logits(search)
            bent = self.costs * self.design.pull(self.loss.curve(state, change)) + _penalised(search)
            curvature = self._dot(search, bent)
            length = torch.where((slope > goal) & (curvature > 0), slope / curvature, 0.0).to(search.dtype)
            direction += length * search
            moved += length * change
            left -= length * bent
            ahead = precondition(left)
            new_slope = self._dot(left, ahead)
            if used == MAX_CG or not bool(((new_slope > goal) & (length > 0)).any()):
                break
            search = ahead + torch.where(slope > 0, new_slope / slope, 0.0).to(search.dtype) * search
            slope = new_slope
        return direction, moved, used

    def _line_search(
        self, point: Point, logits: Tensor, moved: Tensor, direction: Tensor, gradient: Tensor
    ) -> Tensor:  # fmt: skip
        """Step lengths, halved until the objective falls; 0 where it does not, down to rounding."""
        slope = self._dot(gradient, direction)
        length = torch.where(slope < 0, 1.0, 0.0)
        # A decrease smaller than rounding cannot be seen in the objective; Newton's step is trusted there.
        rounding = 8 * torch.finfo(logits.dtype).eps * point.objective.abs()
        for _ in range(MAX_HALVINGS):
            step = length.to(logits.dtype)
            terms = self.loss.terms(logits + step * moved)
            reached = self._objective(terms, point.weights + step * direction)
            short = reached > point.objective + SUFFICIENT * length * slope + rounding
            if not bool((short & (length > 0)).any()):
                return step
            length = torch.where(short, length / 2, length)
        return torch.where(short, 0.0, length).to(logits.dtype)


def _penalised(weights: Tensor) -> Tensor:
    """The weights with a zero for the intercept, which nothing pulls to zero."""
    held = weights.clone()
    held[-1] = 0
    return held
