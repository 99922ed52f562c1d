"""Scores through a source classifier, real or made up by a mixture."""

import numpy as np
import numpy.typing as npt

from mmbnft.evaluation.proxies.inputs import Features, Labels, checked
from mmbnft.utils.errors import UserError

_LEAST = 1e-300


def leep(probabilities: npt.NDArray[np.floating], labels: Labels) -> float:
    """Log expected empirical prediction, at most 0 (Nguyen et al., ICML 2020).

    Only defined for a checkpoint with a classifier of its source classes; an SSL checkpoint has none, use `nleep`.

    Args:
        probabilities: (n, source classes) outputs of the source classifier, rows summing to 1.
        labels: (n,) classes.
    """
    theta, numbers, classes = checked(probabilities, labels)
    if (theta < 0).any() or not np.allclose(theta.sum(axis=1), 1, atol=1e-4):
        raise UserError("probabilities must be at least 0 and sum to 1 in each row; apply softmax to logits first")
    joint = np.zeros((classes, theta.shape[1]))
    np.add.at(joint, numbers, theta / len(theta))
    conditional = joint / np.maximum(joint.sum(axis=0, keepdims=True), _LEAST)  # class given source class
    expected = np.einsum("nz,nz->n", theta, conditional[numbers])
    return float(np.mean(np.log(np.maximum(expected, _LEAST))))


def nleep(features: Features, labels: Labels, variance: float = 0.8, seed: int = 0) -> float:
    """LEEP with a Gaussian mixture on principal components in place of the classifier (Li et al., CVPR 2021).

    Args:
        features: (n, d) features of training images.
        labels: (n,) classes.
        variance: Share of the variance that the kept components explain.
        seed: Of the mixture's starting point.
    """
    values, numbers, classes = checked(features, labels)
    if len(values) <= 5 * classes:
        raise UserError(
            f"nleep fits 5 components per class and needs more than {5 * classes} images for {classes} classes, "
            f"got {len(values)}; give it more training images"
        )
    from sklearn.decomposition import PCA  # takes longer to import than torch
    from sklearn.mixture import GaussianMixture

    reduced = PCA(n_components=variance, svd_solver="full").fit_transform(values)
    mixture = GaussianMixture(n_components=5 * classes, covariance_type="full", reg_covar=1e-3, random_state=seed)
    return leep(mixture.fit(reduced).predict_proba(reduced), numbers)
