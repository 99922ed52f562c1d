import numpy as np
import pytest
from scipy.special import expit, softmax
from scipy.stats import binom
from sklearn.calibration import calibration_curve
from sklearn.metrics import confusion_matrix, log_loss

from mmbnft.analysis import predictions as of
from mmbnft.artifacts import Predictions
from mmbnft.tasks import compute_metric
from mmbnft.utils.errors import UserError


@pytest.fixture
def some():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 500)
    return Predictions.of(2 * np.eye(4)[labels] + 1.5 * rng.normal(size=(500, 4)), labels)


@pytest.fixture
def several():
    rng = np.random.default_rng(1)
    labels = (rng.random((80, 3)) < 0.4).astype(np.uint8)
    return Predictions.of(labels + rng.normal(size=(80, 3)), labels)


def test_confusion_and_loss_are_those_of_scikit_learn(some, several):
    assert (of.confusion(some) == confusion_matrix(some.labels, some.scores.argmax(1))).all()
    chances = of.probabilities(some)
    assert of.log_loss(some) == pytest.approx(log_loss(some.labels, chances))
    columns = [log_loss(several.labels[:, c], of.probabilities(several)[:, c]) for c in range(3)]
    assert of.log_loss(several) == pytest.approx(np.mean(columns))
    with pytest.raises(UserError, match="one class per image"):
        of.confusion(several)


def test_probabilities_are_those_of_scipy(some, several):
    assert np.allclose(of.probabilities(some), softmax(some.scores.astype(float), axis=1))
    assert np.allclose(of.probabilities(several), expit(several.scores.astype(float)))


def test_calibration_error_is_that_of_the_reliability_curve(some):
    chances = of.probabilities(some)
    hit, confidence = chances.argmax(1) == some.labels, chances.max(1)
    accuracy, mean = calibration_curve(hit, confidence, n_bins=15)
    counts = np.histogram(confidence, np.linspace(0, 1, 16))[0]
    expected = 100 * (counts[counts > 0] * np.abs(accuracy - mean)).sum() / 500
    assert of.calibration_error(some) == pytest.approx(expected)
    assert of.calibration_error(Predictions.of(30 * np.eye(2)[[0, 1, 0, 0]], np.array([0, 1, 1, 0]))) == pytest.approx(
        25
    )


def test_interval_of_an_accuracy_is_the_binomial_one(some):
    value = compute_metric("top1", some.logits, some.labels)
    low, high = of.resampled_interval(lambda s, y: compute_metric("top1", s, y), some)
    assert [low, high] == pytest.approx(np.array(binom.interval(0.95, 500, value / 100)) / 5, abs=0.5)


def test_every_metric_that_fits_the_labels_is_computed(some, several):
    assert set(of.known_metrics(some)) == {"top1", "mean_per_class", "roc_auc"}
    assert set(of.known_metrics(several)) == {"roc_auc", "map11"}
