"""Methods that see frozen features only: each takes all episodes at once and gives a score for each class.

The score of a query is computed from its own features, row by row, without a matrix product over queries: so it is the
same to the last bit whichever other queries are there.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from mmbnft.utils.errors import UserError, choices

# Those that update every value by itself, so that many episodes may share one optimiser.
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "SGD": torch.optim.SGD,
    "Adam": torch.optim.Adam,
    "AdamW": torch.optim.AdamW,
}
# Values of the largest intermediate array.
_CHUNK_VALUES = 1 << 24


def nearest_mean(support: Tensor, labels: Tensor, queries: Tensor, classes: int) -> Tensor:
    """Scores by the nearest class mean in squared Euclidean distance, features as they are.

    Source: Ericsson et al., CVPR 2021.

    Args:
        support: (E, M, D) features.
        labels: int64 (E, M) in 0..classes-1, every class at least once.
        queries: (E, Q, D) features.
        classes: Number of classes.

    Returns:
        (E, Q, classes) negative squared distances.
    """
    hot = torch.nn.functional.one_hot(labels, classes).to(support.dtype)
    means = (hot.mT @ support) / hot.sum(dim=1)[..., None]
    return -_by_episode(lambda q, m: (q[:, None] - m).square().sum(dim=-1), queries, means)


def linear_scores(queries: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """(E, Q, C) scores of queries (E, Q, D) by weights (E, C, D) and biases (E, C).

    Args:
        queries: (E, Q, D) features.
        weight: (E, C, D).
        bias: (E, C).
    """
    return _by_episode(lambda q, w: (q[:, None] * w).sum(dim=-1), queries, weight) + bias[:, None]


def _by_episode(compute: Any, queries: Tensor, vectors: Tensor) -> Tensor:
    size = max(1, _CHUNK_VALUES // max(1, vectors[0].numel()))
    rows = [
        torch.cat([compute(part, vectors[episode]) for part in queries[episode].split(size)])
        for episode in range(len(queries))
    ]
    return torch.stack(rows)


def fit_linear(
    features: Tensor, labels: Tensor, classes: int, optimizer: dict[str, Any], steps: int, batches: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Train one linear head per episode, from zero, by a torch optimiser on the mean cross-entropy of each batch.

    The losses of episodes add up and the optimisers work value by value, so every head is trained as if alone. Source:
    the linear classifier of Guo et al., ECCV 2020 (CD-FSL), which differs in its random start.

    Args:
        features: (E, M, D).
        labels: int64 (E, M) in 0..classes-1.
        classes: Number of classes.
        optimizer: Class name in torch.optim as `type`, and its arguments.
        steps: Optimiser steps.
        batches: int64 (steps, E, B) image numbers of each step, or None for all images in every step.

    Returns:
        Weight (E, classes, D) and bias (E, classes).

    Raises:
        UserError: The optimiser cannot be built.
    """
    episodes = torch.arange(len(features), device=features.device)[:, None]
    weight = features.new_zeros((len(features), classes, features.shape[-1]), requires_grad=True)
    bias = features.new_zeros((len(features), classes), requires_grad=True)
    updater = build_optimizer([weight, bias], optimizer)
    for step in range(steps):
        images, truth = features, labels
        if batches is not None:
            chosen = batches[step].to(features.device)
            images, truth = features[episodes, chosen], labels[episodes, chosen]
        scores = images @ weight.mT + bias[:, None]
        loss = torch.nn.functional.cross_entropy(scores.flatten(0, 1), truth.flatten(), reduction="sum")
        updater.zero_grad()
        (loss / images.shape[1]).backward()
        updater.step()
    return weight.detach(), bias.detach()


def build_optimizer(parameters: Iterable[Tensor | dict[str, Any]], optimizer: dict[str, Any]) -> torch.optim.Optimizer:
    """A torch optimiser from `dict(type=..., lr=..., ...)`.

    Args:
        parameters: What it updates, or groups of it with settings of their own.
        optimizer: `type`, one of `OPTIMIZERS`, and the arguments of that class.

    Raises:
        UserError: The type is not among those, or an argument does not fit.
    """
    arguments = dict(optimizer)
    build = OPTIMIZERS.get(str(arguments.pop("type", None)))
    if build is None:
        raise UserError(
            f"the optimiser type of episodes must be one of {choices(OPTIMIZERS)}, which treat every value by itself, "
            f"got {optimizer.get('type')!r}"
        )
    try:
        return build(parameters, **arguments)
    except (TypeError, ValueError) as error:
        raise UserError(f"the optimiser {optimizer} cannot be built: {error}; see torch.optim") from error
