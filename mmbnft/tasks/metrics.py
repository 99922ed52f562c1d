"""Metrics as pure functions: scores and labels in, percent out."""

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mmbnft.utils.errors import DivergedError, UserError, choices

Metric = Callable[[np.ndarray, np.ndarray], float]


def _sklearn() -> Any:
    """scikit-learn's metrics, imported when one is needed: they take three times as long to import as torch."""
    return importlib.import_module("sklearn.metrics")


def top1(scores: np.ndarray, labels: np.ndarray) -> float:
    """Share of images whose highest score is their class, in percent.

    Args:
        scores: (N, C) class scores, higher is better.
        labels: int (N,) class numbers.
    """
    return float(100.0 * np.mean(scores.argmax(axis=1) == labels))


def mean_per_class(scores: np.ndarray, labels: np.ndarray) -> float:
    """Mean over classes of the share of that class's images found, in percent; every class counts alike.

    Classes without an image in `labels` have no recall and do not enter the mean. Arguments as in `top1`.
    """
    return float(100.0 * _sklearn().balanced_accuracy_score(labels, scores.argmax(axis=1)))


def roc_auc(scores: np.ndarray, labels: np.ndarray) -> float:
    """Area under the ROC curve in percent; the unweighted mean of one class against the rest for more than two classes.

    Args:
        scores: (N, C) logits.
        labels: int (N,) class numbers or multi-hot (N, C).

    Raises:
        UserError: A class has no image, or all images are of one class, so that no curve exists.
    """
    hot = labels if labels.ndim == 2 else np.eye(scores.shape[1], dtype=np.uint8)[labels]
    undefined = np.flatnonzero((hot.sum(axis=0) == 0) | (hot.sum(axis=0) == len(hot)))
    if undefined.size:
        raise UserError(f"ROC AUC is undefined: class {undefined[0]} has no image, or every image; use another metric")
    if labels.ndim == 1 and scores.shape[1] == 2:
        return float(100.0 * _sklearn().roc_auc_score(labels, scores[:, 1] - scores[:, 0]))
    if labels.ndim == 1:
        # One class against the rest compares images with each other, so scores must be on one scale: probabilities.
        shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
        scores = shifted / shifted.sum(axis=1, keepdims=True)
    return float(100.0 * np.mean([_sklearn().roc_auc_score(hot[:, c], scores[:, c]) for c in range(hot.shape[1])]))


def map11(scores: np.ndarray, labels: np.ndarray) -> float:
    """Mean over classes of the 11-point interpolated average precision of PASCAL VOC2007, in percent.

    For each class: the mean, over recall levels 0, 0.1 ... 1, of the highest precision at that recall or above
    (Everingham et al., The PASCAL VOC Challenge, 2010).

    Args:
        scores: (N, C) class scores.
        labels: Multi-hot (N, C).

    Raises:
        UserError: A class has no image.
    """
    empty = np.flatnonzero(labels.sum(axis=0) == 0)
    if empty.size:
        raise UserError(f"average precision is undefined: class {empty[0]} has no image in this split")
    return float(100.0 * np.mean([_average_precision11(scores[:, c], labels[:, c]) for c in range(labels.shape[1])]))


def _average_precision11(scores: np.ndarray, positive: np.ndarray) -> float:
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(positive[order])
    precision = hits / np.arange(1, len(order) + 1)
    levels = np.ceil(np.linspace(0.0, 1.0, 11) * hits[-1] - 1e-9)  # hits needed to reach each recall level
    return float(np.mean([precision[hits >= level].max() for level in levels]))


METRICS: dict[str, Metric] = {"top1": top1, "mean_per_class": mean_per_class, "roc_auc": roc_auc, "map11": map11}


# What the labels of an image may be, and whether a split without an image of some class has a value at all.
SINGLE_LABEL = frozenset({"top1", "mean_per_class", "roc_auc"})
MULTI_LABEL = frozenset({"roc_auc", "map11"})
EVERY_CLASS = frozenset({"roc_auc", "map11"})


def check_metric(metric: str, multi_label: bool, where: str) -> None:
    """Refuse a metric that is unknown or undefined for the labels.

    Args:
        metric: Its name.
        multi_label: Whether an image may carry several classes.
        where: What to name in the message, e.g. `task pets`.

    Raises:
        UserError: It is.
    """
    allowed = MULTI_LABEL if multi_label else SINGLE_LABEL
    if metric not in METRICS:
        raise UserError(f"{where}: unknown metric {metric!r}; allowed: {choices(METRICS)}")
    if metric not in allowed:
        labels = "several classes per image" if multi_label else "one class per image"
        raise UserError(f"{where}: the metric {metric} is not defined for {labels}; use {' or '.join(sorted(allowed))}")


def check_split(metric: str, counts: np.ndarray, images: int, classes: Sequence[str], where: str) -> None:
    """Refuse a split on which the metric has no value.

    Args:
        metric: A key of `METRICS`.
        counts: int (C,) images of each class.
        images: Images of the split.
        classes: Class names.
        where: What to name in the message, e.g. `task pets, val`.

    Raises:
        UserError: A class is in no image or, for ROC AUC, in every image.
    """
    if metric not in EVERY_CLASS:
        return
    missing = [classes[int(c)] for c in np.flatnonzero(counts == 0)]
    everywhere = [classes[int(c)] for c in np.flatnonzero(counts == images)] if metric == "roc_auc" else []
    if missing or everywhere:
        what = "have no image" if missing else "are in every image"
        named = missing or everywhere
        raise UserError(
            f"{where}: {len(named)} of {len(classes)} classes {what}, e.g. {named[0]!r}, and {metric} is undefined "
            "without a positive and a negative image of each; use a metric that does not need them, or other lists "
            "(another seed of the draw gives others)"
        )


def compute_metric(name: str, scores: np.ndarray, labels: np.ndarray) -> float:
    """The metric `name` in percent.

    Args:
        name: Key of `METRICS`.
        scores: (N, C) class scores; only their order within a row or column counts.
        labels: int (N,) class numbers, or multi-hot (N, C).

    Raises:
        UserError: The metric is unknown, or there are not as many scores as labels.
        DivergedError: A score is not finite.
    """
    if name not in METRICS:
        raise UserError(f"unknown metric {name!r}; allowed: {choices(METRICS)}")
    if len(scores) != len(labels):
        raise UserError(f"every sample must be evaluated once, got {len(scores)} predictions for {len(labels)} labels")
    if not np.isfinite(scores).all():
        raise DivergedError("the predictions are not finite; lower the learning rate or check the checkpoint")
    return METRICS[name](scores, labels)
