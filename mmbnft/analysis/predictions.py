"""What stored predictions tell beyond the one value of their result."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from mmbnft.artifacts import Predictions
from mmbnft.tasks.metrics import MULTI_LABEL, SINGLE_LABEL, compute_metric
from mmbnft.utils.errors import UserError

Array = npt.NDArray[np.float64]

BINS = 15
SEED = 0


def probabilities(predictions: Predictions) -> Array:
    """(N, C) class probabilities: by softmax, or by the logistic function where an image may have several classes."""
    logits = predictions.scores.astype(float)
    if predictions.labels.ndim == 2:
        return np.asarray(1 / (1 + np.exp(-np.clip(logits, -700, 700))))
    likelihoods = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(likelihoods / likelihoods.sum(axis=1, keepdims=True))


def confusion(predictions: Predictions) -> npt.NDArray[np.int64]:
    """(C, C) counts of images, by true class (row) and predicted class (column).

    Raises:
        UserError: Images may have several classes, so that no class is confused with another.
    """
    _one_class(predictions, "a confusion matrix")
    classes = predictions.scores.shape[1]
    pairs = predictions.labels.astype(int) * classes + predictions.scores.argmax(axis=1)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def calibration(predictions: Predictions, bins: int = BINS) -> Array:
    """(bins, 3) number of images, mean confidence and accuracy by equal bins of the highest probability.

    Raises:
        UserError: Images may have several classes.
    """
    _one_class(predictions, "calibration of the highest probability")
    chances = probabilities(predictions)
    confidence, hit = chances.max(axis=1), chances.argmax(axis=1) == predictions.labels
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    counts = np.bincount(place, minlength=bins)
    sums = [np.bincount(place, weights=values, minlength=bins) for values in (confidence, hit)]
    return np.stack([counts, *(total / np.maximum(counts, 1) for total in sums)], axis=1)


def calibration_error(predictions: Predictions, bins: int = BINS) -> float:
    """Expected calibration error (Naeini et al., AAAI 2015; Guo et al., ICML 2017), in percent.

    Raises:
        UserError: Images may have several classes.
    """
    counts, confidence, accuracy = calibration(predictions, bins).T
    return float(100 * (counts * np.abs(confidence - accuracy)).sum() / counts.sum())


def log_loss(predictions: Predictions) -> float:
    """Mean negative log-likelihood of the true classes, in nats; over classes too where an image may have several."""
    chances, labels = np.clip(probabilities(predictions), 1e-12, 1 - 1e-12), predictions.labels.astype(int)
    if labels.ndim == 2:
        return float(-(labels * np.log(chances) + (1 - labels) * np.log(1 - chances)).mean())
    return float(-np.log(chances[np.arange(len(labels)), labels]).mean())


def known_metrics(predictions: Predictions) -> dict[str, float]:
    """Every metric that is defined for the labels, in percent; one that these images leave undefined is left out."""
    found = {}
    for name in sorted(MULTI_LABEL if predictions.labels.ndim == 2 else SINGLE_LABEL):
        try:
            found[name] = compute_metric(name, predictions.logits, predictions.labels)
        except UserError:
            continue
    return found


def resampled_interval(
    metric: Callable[[np.ndarray, np.ndarray], float],
    predictions: Predictions,
    resamples: int = 1000,
    level: float = 0.95,
) -> tuple[float, float]:
    """Percentile bootstrap interval of a metric over the test images.

    Args:
        metric: From scores (N, C) and labels to a number.
        predictions: Of N images.
        resamples: Number of resamples.
        level: Coverage.

    Returns:
        The two ends; NaN where the metric is undefined on a resample.
    """
    rng, values = np.random.default_rng(SEED), []
    scores, labels = predictions.logits, predictions.labels
    for _ in range(resamples):
        drawn = rng.integers(0, len(labels), len(labels))
        try:
            values.append(metric(scores[drawn], labels[drawn]))
        except UserError:
            return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _one_class(predictions: Predictions, what: str) -> None:
    if predictions.labels.ndim == 2:
        raise UserError(f"{what} needs one class per image, and these images may have several; use roc_auc or map11")
