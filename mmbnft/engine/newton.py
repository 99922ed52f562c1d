"""Truncated Newton steps for several logistic regressions on the same features side by side.

Newton's systems are solved by conjugate gradients (Nocedal and Wright, Numerical Optimization, 2006, ch. 7) with a
randomised low-rank preconditioner of the features' covariance (Frangella, Tropp and Udell, 2023), scaled by the images'
weights in the curvature, times the mean curvature between classes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from mmbnft.engine.logistic_loss import Sigmoid, Softmax, Terms

MAX_CG, MAX_HALVINGS = 200, 30
RANK, OVERSAMPLING = 256, 16
SUFFICIENT = 1e-4  # share of the predicted decrease that a step must reach


class Design:
    """Centred features and one constant column that carries the intercept, with their leading directions.

    Args:
        features: (N, D), centred.

    Attributes:
        matrix: (N, D + 1).
        unit: Value of the constant column: the features' root mean square length, so that a change of the intercept
            and one of the weights weigh alike in a norm.
        basis: (D + 1, R) orthonormal; the constant column is a direction of its own.
        squares: (N, R) squared coordinates of the images in that basis.
        lengths: (N,) squared lengths of the images.
    """

    def __init__(self, features: Tensor) -> None:
        count, width = features.shape
        self.unit = self.unit_of(features)
        self.matrix = torch.nn.functional.pad(features, (0, 1), value=self.unit)
        self.lengths = self.matrix.square().sum(1)
        rank = min(RANK, count, width)
        generator = torch.Generator(device="cpu").manual_seed(0)
        sketch = torch.randn(width, min(rank + OVERSAMPLING, width), generator=generator, dtype=features.dtype)
        probe = features @ sketch.to(features.device)
        for _ in range(2):
            probe = features @ torch.linalg.qr(features.T @ probe).Q
        row_space = torch.linalg.qr(features.T @ torch.linalg.qr(probe).Q)
        directions = row_space.Q @ torch.linalg.svd(row_space.R).U[:, :rank]
        self.basis = torch.block_diag(directions, torch.ones(1, 1, dtype=features.dtype, device=features.device))
        self.squares = (self.matrix @ self.basis).square()
        self.spare = max(width - directions.shape[1], 1)  # directions beyond the leading ones

    @staticmethod
    def unit_of(features: Tensor) -> float:
        """Root mean square length of centred features; 1 where all are zero."""
        return float(features.square().sum(1).mean().sqrt()) or 1.0

    def logits(self, weights: Tensor) -> Tensor:
        """(N, B, K) of weights (D + 1, B, K)."""
        return (self.matrix @ weights.flatten(1)).unflatten(1, weights.shape[1:])

    def pull(self, residual: Tensor) -> Tensor:
        """(D + 1, B, K), the derivative by the weights of what has this derivative (N, B, K) by the logits."""
        return (self.matrix.T @ residual.flatten(1)).unflatten(1, residual.shape[1:])


class _Preconditioner:
    """Approximate inverse of the second derivative at one point."""

    def __init__(self, design: Design, loss: Softmax | Sigmoid, state: Tensor, cost: Tensor) -> None:
        values, self.vectors = loss.curvature(state)
        weights = loss.weights(state)
        leading = weights @ design.squares  # (B, R)
        tail = ((weights @ design.lengths - leading.sum(1)) / design.spare).clamp(min=0)
        scale = cost.reshape(-1, 1) * values  # (B, K)
        self.tail = 1 / (1 + tail[:, None] * scale)
        self.gain = (1 / (1 + leading[:, :, None] * scale[:, None])).transpose(0, 1) - self.tail
        self.basis = design.basis

    def __call__(self, vector: Tensor) -> Tensor:
        turned = torch.einsum("dbk,bkl->dbl", vector, self.vectors)
        lead = (self.basis.T @ turned.flatten(1)).unflatten(1, turned.shape[1:]) * self.gain
        turned = turned * self.tail + (self.basis @ lead.flatten(1)).unflatten(1, turned.shape[1:])
        return torch.einsum("dbl,bkl->dbk", turned, self.vectors)


@dataclass
class Point:
    """Weights on the way to their optimum.

    Attributes:
        weights: (D + 1, B, K); the last row is the intercept over the design's unit.
        objective: float64 for each problem.
        slack: Norm of the gradient over that of the weights, for each problem.
        steps: Newton steps taken.
        passes: Passes over the features, there and back, of each weight decay.
    """

    weights: Tensor
    objective: Tensor
    slack: Tensor
    steps: int = 0
    passes: int = 0


class Newton:
    """Minimises cost * loss + ||W||^2 / 2 for B costs side by side.

    Args:
        design: The features.
        loss: The loss on their labels.
        costs: (B,), the loss's weight C in the objective.
        tolerance: A problem is solved when the norm of its gradient is at most this part of the norm of its weights.
    """

    MAX_STEPS = 100

    def __init__(self, design: Design, loss: Softmax | Sigmoid, costs: Tensor, tolerance: float) -> None:
        self.design, self.loss, self.tolerance = design, loss, tolerance
        self.costs = costs.to(design.matrix)[None, :, None]

    def solve(self, weights: Tensor) -> Point:
        """Start from `weights` (D + 1, B, K) and go on until every problem is solved or nothing moves any more."""
        weights, logits, passes = weights.clone(), self.design.logits(weights), 1
        terms = self.loss.terms(logits)
        for step in range(self.MAX_STEPS + 1):
            gradient = self.costs * self.design.pull(terms.residual) + _penalised(weights)
            point = Point(weights, self._objective(terms, weights), self._slack(gradient, weights), step, passes)
            open_ = point.slack > self.tolerance
            if step == self.MAX_STEPS or not bool(open_.any()):
                return point
            direction, moved, used = self._direction(gradient * open_, terms.state, weights)
            length = self._line_search(point, logits, moved, direction, gradient)
            if not bool((length > 0).any()):
                return point
            weights, logits = weights + length * direction, logits + length * moved
            terms, passes = self.loss.terms(logits), passes + used + 1
        raise AssertionError("unreachable")

    def _norm(self, vector: Tensor) -> Tensor:
        return vector.square().sum(self.loss.within, keepdim=True).sqrt()

    def _dot(self, first: Tensor, second: Tensor) -> Tensor:
        return (first * second).sum(self.loss.within, keepdim=True)

    def _slack(self, gradient: Tensor, weights: Tensor) -> Tensor:
        tiny = torch.finfo(weights.dtype).tiny
        return self._norm(gradient) / self._norm(weights[:-1]).clamp(min=tiny)

    def _objective(self, terms: Terms, weights: Tensor) -> Tensor:
        penalty = weights[:-1].double().square().sum(self.loss.within, keepdim=True) / 2
        return self.costs.double() * terms.loss + penalty

    def _direction(self, gradient: Tensor, state: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, int]:
        """Newton's direction by conjugate gradients, what it does to the logits, and the passes it took."""
        precondition = _Preconditioner(self.design, self.loss, state, self.costs)
        start = self._norm(gradient)
        # Near the optimum one step should do; far from it, precision would be wasted on a wrong model.
        goal = torch.maximum(0.1 * start * (start / (start + self._norm(weights[:-1]))).sqrt(),
                             0.5 * self.tolerance * self._norm(weights[:-1])).clamp(max=0.3 * start)  # fmt: skip
        direction, moved, left = torch.zeros_like(gradient), torch.zeros_like(state), -gradient
        search = ahead = precondition(left)
        slope = self._dot(left, ahead)
        for used in range(1, MAX_CG + 1):
            change = self.design.logits(search)
            bent = self.costs * self.design.pull(self.loss.curve(state, change)) + _penalised(search)
            curvature = self._dot(search, bent)
            active = (self._norm(left) > goal) & (curvature > 0)
            length = torch.where(active, slope / curvature, 0.0)
            direction += length * search
            moved += length * change
            left -= length * bent
            if not bool((self._norm(left) > goal).logical_and(active).any()):
                break
            ahead = precondition(left)
            new_slope = self._dot(left, ahead)
            search = ahead + torch.where(slope > 0, new_slope / slope, 0.0) * search
            slope = new_slope
        return direction, moved, used

    def _line_search(
        self, point: Point, logits: Tensor, moved: Tensor, direction: Tensor, gradient: Tensor
    ) -> Tensor:  # fmt: skip
        """Step lengths, halved until the objective falls; 0 where it does not, down to rounding."""
        slope = self._dot(gradient, direction).double()
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
