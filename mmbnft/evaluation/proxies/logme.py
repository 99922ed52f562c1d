"""LogME: how well a Bayesian linear model explains the labels."""

import numpy as np

from mmbnft.evaluation.proxies.inputs import Array, Features, Labels, checked

_STEPS = 100


def logme(features: Features, labels: Labels) -> float:
    """Logarithm of maximum evidence per image, averaged over classes, each against the rest (You et al., ICML 2021).

    For every class the precision of the weights (alpha) and of the noise (beta) are those that maximise the evidence
    of a linear model of the 0/1 labels, found by MacKay's fixed point on the singular values.

    Args:
        features: (n, d) features of training images.
        labels: (n,) classes.
    """
    values, numbers, classes = checked(features, labels)
    left, singular, _ = np.linalg.svd(values, full_matrices=False)
    return float(
        np.mean([_evidence((numbers == c).astype(float), left, singular, values.shape) for c in range(classes)])
    )


def _evidence(label: Array, left: Array, singular: Array, shape: tuple[int, ...]) -> float:
    """Maximal log evidence per image of one 0/1 label."""
    n, d = shape
    squares, projected = singular**2, (left.T @ label) ** 2
    outside = max(float(label @ label - projected.sum()), 0.0)  # what no weights can explain
    alpha, beta, last = 1.0, 1.0, -np.inf
    for _ in range(_STEPS):
        shrunk = alpha + beta * squares
        effective = float((beta * squares / shrunk).sum())
        weights = float((beta**2 * squares * projected / shrunk**2).sum())
        residual = float((projected * (alpha / shrunk) ** 2).sum()) + outside
        evidence = 0.5 * (
            d * np.log(alpha)
            + n * np.log(beta)
            - float(np.log(shrunk).sum())
            - (d - len(squares)) * np.log(alpha)
            - beta * residual
            - alpha * weights
            - n * np.log(2 * np.pi)
        )
        if abs(evidence - last) <= 1e-9 * abs(evidence):
            break
        last = evidence
        alpha = effective / max(weights, 1e-12)
        beta = (n - effective) / max(residual, 1e-12)
    return float(evidence) / n
