"""What every score asks of its input."""

import numpy as np
import numpy.typing as npt

from mmbnft.utils.errors import UserError

Features = npt.NDArray[np.floating]
Labels = npt.NDArray[np.integer]
Array = npt.NDArray[np.float64]


def checked(features: Features, labels: Labels) -> tuple[Array, npt.NDArray[np.intp], int]:
    """Features as float64 (n, d), labels as 0..classes-1 (n,), and the number of classes present.

    Raises:
        UserError: Shapes disagree, a feature is not finite, or fewer than two classes are present.
    """
    values, named = np.asarray(features, np.float64), np.asarray(labels)
    if values.ndim != 2 or named.shape != (len(values),):
        raise UserError(f"features must be (n, d) and labels (n,), got shapes {values.shape} and {named.shape}")
    if not np.isfinite(values).all():
        raise UserError("features must be finite, got NaN or infinity; check the checkpoint with its load certificate")
    classes, numbers = np.unique(named, return_inverse=True)
    if len(classes) < 2:
        raise UserError(f"labels must name at least two classes, got {len(classes)}; a score compares classes")
    return values, numbers, len(classes)


def class_means(features: Array, labels: npt.NDArray[np.intp], classes: int) -> tuple[Array, Array]:
    """(classes, d) means and (classes,) counts.

    Args:
        features: (N, d).
        labels: int (N,) in 0..classes-1, every class at least once.
        classes: Number of classes.
    """
    member = np.zeros((classes, len(labels)))
    member[labels, np.arange(len(labels))] = 1.0
    counts = member.sum(axis=1)
    return member @ features / counts[:, None], counts
