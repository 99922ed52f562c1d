"""What the features of images look like, as (N, D) arrays in and numbers out."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Labels = npt.NDArray[np.integer]

SEED = 0


def fisher_ratio(features: Array, labels: Labels) -> float:
    """Scatter between classes over scatter within them: tr(S_b) / tr(S_w); larger is better separated.

    Args:
        features: (N, D).
        labels: (N,) class numbers.
    """
    centre, between, within = features.mean(axis=0), 0.0, 0.0
    for label in np.unique(labels):
        mine = features[labels == label]
        between += len(mine) * float(((mine.mean(axis=0) - centre) ** 2).sum())
        within += float(((mine - mine.mean(axis=0)) ** 2).sum())
    return between / within if within else float("nan")


def silhouette(features: Array, labels: Labels) -> float:
    """Mean silhouette of the classes by Euclidean distance (Rousseeuw 1987), from -1 to 1; NaN with fewer than 2.

    Args:
        features: (N, D).
        labels: (N,) class numbers.
    """
    if not 2 <= len(np.unique(labels)) < len(labels):
        return float("nan")
    from sklearn.metrics import silhouette_score  # takes longer to import than all else here

    return float(silhouette_score(features, labels))


def effective_rank(features: Array) -> float:
    """RankMe (Garrido et al., ICML 2023): exp of the entropy of the singular values, from 1 to min(N, D).

    Args:
        features: (N, D), not centred, as in the paper.
    """
    values = np.linalg.svd(features, compute_uv=False)
    total = values.sum()
    if not total:
        return float("nan")
    shares = values / total + 1e-7
    return float(np.exp(-(shares * np.log(shares)).sum()))


def sparsity(features: Array) -> float:
    """Mean Hoyer sparsity of the rows (JMLR 2004): 0 where all entries are equal in size, 1 where only one is not 0.

    Args:
        features: (N, D); rows of zeros are left out.
    """
    length = np.linalg.norm(features, axis=1)
    rows, root = features[length > 0], np.sqrt(features.shape[1])
    if not len(rows) or root == 1:
        return float("nan")
    return float(((root - np.abs(rows).sum(axis=1) / length[length > 0]) / (root - 1)).mean())


def norms(features: Array) -> dict[str, float]:
    """Mean and coefficient of variation of the Euclidean lengths of (N, D) features."""
    lengths = np.linalg.norm(features, axis=1)
    mean = float(lengths.mean())
    return {"norm": mean, "norm_variation": float(lengths.std()) / mean if mean else float("nan")}


def linear_cka(first: Array, second: Array) -> float:
    """Linear centred kernel alignment (Kornblith et al., ICML 2019): 1 for features equal up to rotation and scale.

    Args:
        first: (N, D).
        second: (N, E) features of the same images.
    """
    a, b = (features - features.mean(axis=0) for features in (first, second))
    norm = np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)
    return float(np.linalg.norm(a.T @ b) ** 2 / norm) if norm else float("nan")


def principal_map(features: Array) -> Array:
    """(N, 2) coordinates along the first two principal components of (N, D) features; signs by the largest loading."""
    centred = features - features.mean(axis=0)
    left, values, right = np.linalg.svd(centred, full_matrices=False)
    signs = np.sign(right[np.arange(len(right)), np.abs(right).argmax(axis=1)])
    found = (left * values * signs)[:, :2]
    return np.asarray(np.pad(found, ((0, 0), (0, 2 - found.shape[1]))))


def neighbour_map(features: Array) -> Array:
    """(N, 2) coordinates by t-SNE (scikit-learn, initialised by PCA, fixed seed) of (N, D) features."""
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(features) - 1) / 3)
    return np.asarray(TSNE(perplexity=perplexity, init="pca", random_state=SEED).fit_transform(features), float)
