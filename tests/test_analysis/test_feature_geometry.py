import math

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import entropy
from sklearn.decomposition import PCA

from mmbnft.analysis import feature_geometry as geometry


@pytest.fixture
def clusters():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 20)
    return rng.normal(size=(60, 5)) + 2 * np.eye(5)[labels], labels


def test_fisher_ratio_by_hand(clusters):
    assert geometry.fisher_ratio(np.array([[0.0], [2.0], [10.0], [12.0]]), np.array([0, 0, 1, 1])) == 100 / 4
    features, labels = clusters
    within = sum(np.trace(np.cov(features[labels == c].T, bias=True)) / 3 for c in range(3))
    total = np.trace(np.cov(features.T, bias=True))
    assert geometry.fisher_ratio(features, labels) == pytest.approx((total - within) / within)


def test_silhouette_by_its_definition(clusters):
    features, labels = clusters
    distances, values = cdist(features, features), []
    for i, own in enumerate(labels):
        near = {c: distances[i, (labels == c) & (np.arange(60) != i)].mean() for c in range(3)}
        a, b = near.pop(own), min(near.values())
        values.append((b - a) / max(a, b))
    assert geometry.silhouette(features, labels) == pytest.approx(np.mean(values))
    assert math.isnan(geometry.silhouette(features, np.zeros(60, int)))


def test_effective_rank_of_known_spectra(clusters):
    assert geometry.effective_rank(np.eye(7)) == pytest.approx(7, rel=1e-4)
    assert geometry.effective_rank(np.outer(np.arange(1.0, 9), np.ones(4))) == pytest.approx(1, rel=1e-4)
    values = np.linalg.svd(clusters[0])[1]
    assert geometry.effective_rank(clusters[0]) == pytest.approx(np.exp(entropy(values / values.sum())), rel=1e-4)


def test_sparsity_runs_from_flat_to_one_hot():
    assert geometry.sparsity(-np.ones((3, 16))) == pytest.approx(0)
    assert geometry.sparsity(np.eye(16)) == pytest.approx(1)
    assert geometry.sparsity(np.array([[1.0, 1, 0, 0], [0, 0, 0, 0]])) == pytest.approx(2 - math.sqrt(2))


def test_alignment_is_that_of_centred_kernels(clusters):
    features, _ = clusters
    rng = np.random.default_rng(1)
    other = features[:, :3] ** 2 + rng.normal(size=(60, 3))
    centring = np.eye(60) - 1 / 60
    kernels = [centring @ x @ x.T @ centring for x in (features, other)]
    expected = (kernels[0] * kernels[1]).sum() / np.linalg.norm(kernels[0]) / np.linalg.norm(kernels[1])
    assert geometry.linear_cka(features, other) == pytest.approx(expected)
    turned = 3 * features @ np.linalg.qr(rng.normal(size=(5, 5)))[0] + 7
    assert geometry.linear_cka(features, turned) == pytest.approx(1)


def test_map_is_that_of_principal_components(clusters):
    found, expected = geometry.principal_map(clusters[0]), PCA(2).fit_transform(clusters[0])
    assert np.allclose(np.abs(found), np.abs(expected))
    assert geometry.principal_map(np.arange(4.0)[:, None]).shape == (4, 2)
    assert geometry.neighbour_map(clusters[0]).shape == (60, 2)


def test_lengths():
    assert geometry.norms(np.array([[3.0, 4.0], [0.0, 15.0]])) == {"norm": 10.0, "norm_variation": 0.5}
