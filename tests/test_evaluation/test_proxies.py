import numpy as np
import pytest
from scipy import optimize, stats
from sklearn.covariance import LedoitWolf
from sklearn.model_selection import LeaveOneOut, cross_val_score
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid

from mmbnft.evaluation.proxies import (
    SCORES,
    gbc,
    hscore,
    knn,
    leep,
    logme,
    nearest_class_mean,
    nleep,
    sfda,
    transrate,
)
from mmbnft.utils.errors import UserError


@pytest.fixture
def data():
    rng = np.random.default_rng(3)
    labels = np.repeat(np.arange(3), [20, 25, 15])
    return rng.normal(size=(60, 5)) + 0.8 * rng.normal(size=(3, 5))[labels], labels


def clusters(distance, seed=0, n=90, d=6):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    return rng.normal(size=(n, d)) + distance * np.eye(3, d)[labels], labels


@pytest.mark.parametrize("name", SCORES)
def test_every_score_prefers_classes_that_lie_apart(name):
    assert SCORES[name](*clusters(6)) > SCORES[name](*clusters(1)) > SCORES[name](*clusters(0)) - 1e-9


@pytest.mark.parametrize("name", SCORES)
def test_no_score_depends_on_the_order_of_images_or_the_names_of_classes(name, data):
    features, labels = data
    order = np.random.default_rng(0).permutation(len(labels))
    renamed = np.array([7, 40, 2])[labels]
    tolerance = 0.3 if name == "nleep" else 1e-6  # the mixture starts from other images
    assert SCORES[name](features[order], renamed[order]) == pytest.approx(SCORES[name](features, labels), rel=tolerance)


@pytest.mark.parametrize("name", SCORES)
def test_more_features_than_images_is_no_obstacle(name):
    rng = np.random.default_rng(0)
    assert np.isfinite(SCORES[name](rng.normal(size=(40, 100)), np.arange(40) % 2))


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize(
    ("features", "labels", "message"),
    [
        (np.ones((4, 2)), np.zeros(4, int), "two classes"),
        (np.full((4, 2), np.nan), np.arange(4), "finite"),
        (np.ones((4, 2)), np.arange(3), "shapes"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(name, features, labels, message):
    with pytest.raises(UserError, match=message):
        SCORES[name](features, labels)


def test_knn_is_leave_one_out_weighted_voting(data):
    features, labels = data
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    # On unit vectors a Euclidean distance e has cosine 1 - e^2 / 2.
    model = KNeighborsClassifier(7, weights=lambda e: np.exp((1 - e**2 / 2) / 0.07), algorithm="brute")
    expected = 100 * cross_val_score(model, unit, labels, cv=LeaveOneOut()).mean()
    assert knn(features, labels, k=7) == pytest.approx(expected)


def test_nearest_class_mean_is_leave_one_out(data):
    features, labels = data
    expected = 100 * cross_val_score(NearestCentroid(), features, labels, cv=LeaveOneOut()).mean()
    assert nearest_class_mean(features, labels) == pytest.approx(expected)


def test_an_image_alone_in_its_class_is_wrong():
    features = np.array([[0.0], [0.1], [9.0]])
    assert nearest_class_mean(features, np.array([0, 0, 1])) == pytest.approx(200 / 3)


def test_logme_is_the_maximal_marginal_likelihood(data):
    features, labels = data

    def negative(log, label):
        alpha, beta = np.exp(log)
        covariance = np.eye(len(label)) / beta + features @ features.T / alpha
        return -stats.multivariate_normal(np.zeros(len(label)), covariance).logpdf(label)

    best = [
        -optimize.minimize(negative, [0.0, 0.0], args=((labels == c).astype(float),), method="Nelder-Mead").fun
        for c in range(3)
    ]
    assert logme(features, labels) == pytest.approx(np.mean(best) / len(labels), abs=1e-5)


def test_leep_by_hand():
    probabilities = np.array([[1.0, 0.0], [0.5, 0.5]])
    # P(y, z) is [[.5, 0], [.25, .25]]: given z = 0 class 0 has 2/3, given z = 1 class 1 has 1.
    expected = (np.log(2 / 3) + np.log(0.5 / 3 + 0.5)) / 2
    assert leep(probabilities, np.array([0, 1])) == pytest.approx(expected)


def test_leep_of_a_classifier_that_knows_is_0_and_of_one_that_does_not_is_the_entropy():
    labels = np.arange(40) % 4
    assert leep(np.eye(4)[labels], labels) == pytest.approx(0)
    assert leep(np.full((40, 3), 1 / 3), labels) == pytest.approx(-np.log(4))


def test_leep_refuses_logits():
    with pytest.raises(UserError, match="softmax"):
        leep(np.array([[3.0, -1.0], [0.0, 2.0]]), np.array([0, 1]))


def test_nleep_of_clusters_far_apart_is_0():
    assert nleep(*clusters(60)) == pytest.approx(0, abs=1e-6)


def test_nleep_needs_images():
    with pytest.raises(UserError, match="more than 10 images"):
        nleep(np.random.default_rng(0).normal(size=(10, 3)), np.arange(10) % 2)


def test_hscore_by_brute_force(data):
    features, labels = data
    model = LedoitWolf().fit(features)
    conditional = np.stack([features[labels == c].mean(axis=0) for c in labels])
    between = np.cov(conditional.T, bias=True)
    expected = (1 - model.shrinkage_) * np.trace(np.linalg.inv(model.covariance_) @ between)
    assert hscore(features, labels) == pytest.approx(expected)


def test_transrate_by_determinants(data):
    features, labels = data
    z = features - features.mean(axis=0)
    z = z / np.linalg.norm(z)

    def rate(part):
        return 0.5 * np.linalg.slogdet(np.eye(5) + part.T @ part / (len(part) * 1e-4))[1]

    within = sum((labels == c).mean() * rate(z[labels == c]) for c in range(3))
    assert transrate(features, labels) == pytest.approx(rate(z) - within)


def test_sfda_by_bayes_rule_with_gaussians(data):
    features, labels = data
    features = features / 4  # small enough for the shrinkage to matter

    def posterior(values, shrinkage):
        means = np.stack([values[labels == c].mean(axis=0) for c in range(3)])
        within = sum(np.cov(values[labels == c].T, bias=True) * (labels == c).mean() for c in range(3))
        shrunk = (1 - shrinkage) * within + shrinkage * np.trace(within) / 5 * np.eye(5)
        density = np.stack(
            [(labels == c).mean() * stats.multivariate_normal(means[c], shrunk).pdf(values) for c in range(3)], axis=1
        )
        return density / density.sum(axis=1, keepdims=True), within

    _, within = posterior(features, 0.5)
    shrinkage = np.exp(-5 * np.linalg.eigvalsh(within).max())
    assert 0.1 < shrinkage < 0.9
    first = np.exp(posterior(features, shrinkage)[0])
    share = (first / first.sum(axis=1, keepdims=True))[np.arange(60), labels][:, None]
    means = np.stack([features[labels == c].mean(axis=0) for c in range(3)])
    others = np.stack([np.delete(means, c, axis=0).mean(axis=0) for c in labels])
    second = posterior(share * features + (1 - share) * others, shrinkage)[0]
    assert sfda(features, labels) == pytest.approx(np.log(second[np.arange(60), labels]).mean())


def test_gbc_by_integration():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 50)
    features = rng.normal(size=(100, 1)) * np.where(labels, 2.0, 1.0)[:, None] + labels[:, None]
    grid = np.linspace(-30, 30, 200_001)
    densities = [stats.norm(features[labels == c].mean(), features[labels == c].std()).pdf(grid) for c in (0, 1)]
    overlap = np.sqrt(densities[0] * densities[1]).sum() * (grid[1] - grid[0])
    assert gbc(features, labels) == pytest.approx(-2 * overlap, rel=1e-4)
