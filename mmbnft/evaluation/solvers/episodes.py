"""Logistic regression on frozen features for many episodes at once, each on images of its own.

With a few images per class the number of images M is far below the width of the features, and everything that the
features say is in the M x M matrix of their inner products. Any coordinates with the same inner products pose the same
problem; those along the principal directions have at most M columns, and the covariance in them is diagonal.
"""

import math

import torch
from torch import Tensor

from mmbnft.evaluation.solvers.logistic_loss import Softmax
from mmbnft.evaluation.solvers.newton import EpisodeDesign, Newton
from mmbnft.utils.errors import UserError

# Values of the largest array: small enough for a processor's cache, large enough to keep it busy.
_CHUNK_VALUES = 1 << 20
TOLERANCE = 1e-10
REFUSED = 1e-7  # what may at most be left to gain where rounding allows no better


def fit_episodes(features: Tensor, labels: Tensor, classes: int, weight_decay: float) -> tuple[Tensor, Tensor]:
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
    size = max(1, _CHUNK_VALUES // max(images * images, images * width, 1))
    fitted = [
        _fit(features[start : start + size].double(), labels[start : start + size], weight_decay)
        for start in range(0, episodes, size)
    ]
    weights, biases = zip(*fitted, strict=True)
    return torch.cat(weights), torch.cat(biases)


def _fit(features: Tensor, labels: Tensor, weight_decay: float) -> tuple[Tensor, Tensor]:
    """The same for as many episodes as fit a cache, in float64."""
    centre = features.mean(dim=1, keepdim=True)
    # The bias takes a common shift of the features up; without it the problem is better conditioned.
    centred = features - centre
    directions, scales = _principal(centred)
    unit = scales.square().mean(1).sqrt()
    unit = torch.where(unit > 0, unit, 1.0)
    loss = Softmax(labels.T, features.dtype)
    start = features.new_zeros(scales.shape[1] + 1, len(features), loss.prior.shape[1])
    start[-1] = loss.prior / unit[:, None]
    costs = torch.full((len(features),), 1 / weight_decay)
    point = Newton(EpisodeDesign(directions * scales[:, None], unit), loss, costs, TOLERANCE).solve(start)
    open_ = ~(point.slack.flatten() <= REFUSED) & (scales > 0).any(1)  # so that not-a-number counts as open
    if bool(open_.any()):
        raise _unreached(int(open_.sum()), len(open_))
    found = point.weights.transpose(0, 1)  # (E, M + 1, K)
    inverse = torch.where(scales > 0, 1 / scales, 0.0)
    weight = (directions @ (inverse[..., None] * found[:, :-1])).mT @ centred
    bias = found[:, -1] * unit[:, None] - (weight @ centre.mT).squeeze(-1)
    return weight, bias - bias.mean(dim=1, keepdim=True)


def _principal(centred: Tensor) -> tuple[Tensor, Tensor]:
    """Left singular vectors (E, M, M) and singular values (E, M) of features (E, M, D), 0 where below rounding."""
    kernel = centred @ centred.mT
    if not bool(torch.isfinite(kernel).all()):
        raise _unreached(len(centred), len(centred))
    squares, directions = torch.linalg.eigh(kernel)
    rounding = squares.shape[1] * torch.finfo(squares.dtype).eps * squares[:, -1:]
    return directions, torch.where(squares > rounding, squares.clamp(min=0).sqrt(), 0.0)


def _unreached(some: int, count: int) -> UserError:
    return UserError(
        f"logistic regression did not reach its optimum in {some} of {count} episodes; raise weight_decay or scale the "
        "features down"
    )


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
