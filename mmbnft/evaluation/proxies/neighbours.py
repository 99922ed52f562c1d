"""Scores that classify an image by others nearby."""

import numpy as np

from mmbnft.evaluation.proxies.inputs import Array, Features, Labels, checked, class_means
from mmbnft.utils.errors import UserError

_BLOCK = 1024


def knn(features: Features, labels: Labels, k: int = 20, temperature: float = 0.07) -> float:
    """Leave-one-out accuracy of the weighted nearest-neighbour classifier, percent (Wu et al., CVPR 2018).

    Each of the k most similar other images votes for its class with exp(cosine / temperature).

    Args:
        features: (n, d) features of training images.
        labels: (n,) classes.
        k: Number of neighbours; at most n - 1 are used.
        temperature: Of the votes.
    """
    values, numbers, classes = checked(features, labels)
    if k < 1 or temperature <= 0:
        raise UserError(f"k must be at least 1 and temperature above 0, got {k} and {temperature}")
    unit = _unit(values)
    k = min(k, len(unit) - 1)
    right = 0
    for start in range(0, len(unit), _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, len(unit)))
        similarity = unit[rows] @ unit.T
        similarity[np.arange(len(rows)), rows] = -np.inf  # an image is no neighbour of itself
        near = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
        # Cosines are at most 1, so taking 1 off first keeps the exponential in range and changes no vote.
        weight = np.exp((np.take_along_axis(similarity, near, axis=1) - 1) / temperature)
        votes = np.zeros((len(rows), classes))
        np.add.at(votes, (np.arange(len(rows))[:, None], numbers[near]), weight)
        right += int((votes.argmax(axis=1) == numbers[rows]).sum())
    return 100 * right / len(unit)


def nearest_class_mean(features: Features, labels: Labels) -> float:
    """Leave-one-out accuracy of the nearest class mean in Euclidean distance, percent (Mensink et al., PAMI 2013).

    The mean of an image's own class is taken without that image; an image alone in its class counts as wrong.

    Args:
        features: (n, d) features of training images.
        labels: (n,) classes.
    """
    values, numbers, classes = checked(features, labels)
    means, counts = class_means(values, numbers, classes)
    distance = (values**2).sum(axis=1)[:, None] - 2 * values @ means.T + (means**2).sum(axis=1)[None]
    own, size = np.arange(len(values)), counts[numbers]
    with np.errstate(divide="ignore", invalid="ignore"):
        # Without x itself the mean moves away from x by the factor m / (m - 1).
        distance[own, numbers] *= np.where(size > 1, (size / (size - 1)) ** 2, np.inf)
    distance[own[size == 1], numbers[size == 1]] = np.inf
    return float(100 * np.mean(distance.argmin(axis=1) == numbers))


def _unit(values: Array) -> Array:
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), np.finfo(float).tiny)
