"""How far values would move with other test images, from the predictions kept with results."""

from collections.abc import Sequence

import numpy as np

from mmbnft.results import Result
from mmbnft.tasks.metrics import compute_metric
from mmbnft.utils.errors import UserError

# Parts of the test images that are left out in turn: few enough to be quick, and all checkpoints' errors are pooled.
GROUPS = 20


def standard_errors(results: Sequence[Result]) -> list[float]:
    """Standard error of each value under other test images, without what they do to all checkpoints alike.

    The delete-a-group jackknife (Shao & Wu, Annals of Statistics 1989) on parts that hold the classes evenly, the same
    for every checkpoint of a (task, protocol, split, seed); effects of a part that its checkpoints share are taken off,
    since they move no checkpoint past another.

    Args:
        results: Successful results.

    Returns:
        One number for each, in points of its metric; NaN where no predictions are kept, the metric is undefined without
        some of the images, or no other checkpoint was evaluated on the same images.
    """
    found, cells = [float("nan")] * len(results), dict[object, dict[int, np.ndarray]]()
    for place, result in enumerate(results):
        predictions = result.predictions
        if predictions is None or result.scale != "percent" or len(predictions.labels) < 2 * GROUPS:
            continue
        values = _without_each_group(result.metric, predictions.logits, predictions.labels)
        if values is not None:
            shared = (result.task, result.protocol, result.split, result.seed, predictions.labels.tobytes())
            cells.setdefault(shared, {})[place] = values
    for cell in cells.values():
        if len(cell) > 1:
            errors = _paired(np.array(list(cell.values())))
            for place, error in zip(cell, errors, strict=True):
                found[place] = float(error)
    return found


def _without_each_group(metric: str, scores: np.ndarray, labels: np.ndarray) -> np.ndarray | None:
    """(GROUPS,) values of the metric without one part of the images each; None where one of them does not exist."""
    order = np.lexsort(labels.T) if labels.ndim == 2 else np.argsort(labels, kind="stable")
    part = np.empty(len(labels), int)
    part[order] = np.arange(len(labels)) % GROUPS
    try:
        return np.array([compute_metric(metric, scores[part != g], labels[part != g]) for g in range(GROUPS)])
    except UserError:
        return None


def _paired(left_out: np.ndarray) -> np.ndarray:
    """(n,) standard errors from (n, GROUPS) values without each part, the means over checkpoints taken off."""
    n = len(left_out)
    rest = left_out - left_out.mean(axis=1, keepdims=True)
    rest = rest - rest.mean(axis=0)
    # Of n residuals that sum to 0 each holds (n - 1) / n of a checkpoint's own variance.
    return np.asarray(np.sqrt((GROUPS - 1) / GROUPS * (rest**2).sum(axis=1) * n / (n - 1)))
