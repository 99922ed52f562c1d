"""Scores of how the classes lie in feature space."""

import numpy as np
from scipy import linalg
from scipy.special import softmax

from mmbnft.evaluation.proxies.inputs import Array, Features, Labels, checked, class_means


def hscore(features: Features, labels: Labels) -> float:
    """H-score with a shrunk covariance: trace of cov(f)^-1 cov(E[f|y]) (Bao et al., ICIP 2019; Ibrahim et al. 2022).

    The plain covariance cannot be inverted when there are more features than images; Ledoit and Wolf's shrinkage can.

    Args:
        features: (n, d) features of training images.
        labels: (n,) classes.
    """
    values, numbers, classes = checked(features, labels)
    centred = values - values.mean(axis=0)
    from sklearn.covariance import ledoit_wolf  # takes longer to import than torch

    covariance, shrinkage = ledoit_wolf(centred, assume_centered=True)
    means, counts = class_means(centred, numbers, classes)
    between = (means.T * counts) @ means / len(values)
    solved = linalg.lstsq(covariance, between)[0]
    return float((1 - shrinkage) * np.trace(solved))


def transrate(features: Features, labels: Labels, distortion: float = 1e-4) -> float:
    """TransRate: coding rate of all features minus that within classes, nats (Huang et al., ICML 2022).

    Args:
        features: (n, d) features of training images.
        labels: (n,) classes.
        distortion: Squared error at which the features are coded.
    """
    values, numbers, classes = checked(features, labels)
    centred = values - values.mean(axis=0)
    # Scaled as by the authors, so that features of any size are coded at one relative distortion.
    centred = centred / np.sqrt(max(float((centred**2).sum()), np.finfo(float).tiny))
    within = sum(np.mean(numbers == c) * _coding_rate(centred[numbers == c], distortion) for c in range(classes))
    return float(_coding_rate(centred, distortion) - within)


def sfda(features: Features, labels: Labels) -> float:
    """Self-challenging Fisher discriminant analysis, a mean log-probability, at most 0 (Shao et al., ECCV 2022).

    A discriminant analysis classifies the images; each image is then mixed with the mean of the other classes, the
    more the less sure its class was, and the same analysis is asked again. Its within-class scatter is shrunk by
    exp(-5 largest eigenvalue), as in the authors' code; they average probabilities there, here as in the paper their
    logarithms.

    Args:
        features: (n, d) features of training images.
        labels: (n,) classes.
    """
    values, numbers, classes = checked(features, labels)
    own = np.arange(len(values))
    means, _ = class_means(values, numbers, classes)
    residual = values - means[numbers]
    largest = float(np.linalg.norm(residual, 2)) ** 2 / len(values)
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    analysis = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=float(np.clip(np.exp(-5 * largest), 1e-10, 1)))
    # A second softmax over probabilities softens them: a sure image keeps the share e / (e + classes - 1) of itself.
    share = softmax(analysis.fit(values, numbers).predict_proba(values), axis=1)[own, numbers][:, None]
    others = (means.sum(axis=0) - means) / (classes - 1)
    challenged = share * values + (1 - share) * others[numbers]
    return float(np.mean(analysis.fit(challenged, numbers).predict_log_proba(challenged)[own, numbers]))


def gbc(features: Features, labels: Labels, components: int = 64) -> float:
    """Gaussian Bhattacharyya coefficient: minus the overlap of all pairs of classes, at most 0 (Pandy et al. 2022).

    Classes are Gaussians with a variance per principal component; in thousands of raw features every overlap is 0.

    Args:
        features: (n, d) features of training images.
        labels: (n,) classes.
        components: Principal components kept, at most min(n, d).
    """
    values, numbers, classes = checked(features, labels)
    centred = values - values.mean(axis=0)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    reduced = (left * singular)[:, :components]
    means, _ = class_means(reduced, numbers, classes)
    # A class of one image has no variance; a millionth of the mean variance keeps its overlap defined.
    floor = 1e-6 * float(reduced.var(axis=0).mean()) + np.finfo(float).tiny
    variances = np.stack([reduced[numbers == c].var(axis=0) for c in range(classes)]) + floor
    overlap = 0.0
    for i in range(classes - 1):
        both = (variances[i] + variances[i + 1 :]) / 2
        shift = ((means[i] - means[i + 1 :]) ** 2 / both).sum(axis=1) / 8
        shape = (np.log(both) - (np.log(variances[i]) + np.log(variances[i + 1 :])) / 2).sum(axis=1) / 2
        overlap += 2 * float(np.exp(-(shift + shape)).sum())
    return -overlap


def _coding_rate(values: Array, distortion: float) -> float:
    """Half log-determinant of I + values' values / (n distortion), through the singular values."""
    squares = np.linalg.svd(values, compute_uv=False) ** 2
    return float(np.log1p(squares / (len(values) * distortion)).sum() / 2)
