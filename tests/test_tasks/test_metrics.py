import numpy as np
import pytest
from sklearn.metrics import accuracy_score, recall_score, roc_auc_score

from mmbnft.tasks.metrics import compute_metric, map11, mean_per_class, roc_auc, top1
from mmbnft.utils.errors import UserError


@pytest.fixture
def scored():
    random = np.random.default_rng(3)
    labels = np.concatenate([np.arange(5), random.integers(0, 5, 195)])
    scores = random.normal(size=(200, 5))
    scores[np.arange(200), labels] += 1.0
    return scores, labels


def test_top1_against_scikit_learn(scored):
    scores, labels = scored
    assert top1(scores, labels) == pytest.approx(100 * accuracy_score(labels, scores.argmax(1)), abs=1e-12)


def test_mean_per_class_by_hand():
    # class 0: 3 of 4 found, class 1: 0 of 1, so (0.75 + 0) / 2; plain accuracy would be 60 %
    scores = np.eye(2)[[0, 0, 0, 1, 0]]
    labels = np.array([0, 0, 0, 0, 1])
    assert mean_per_class(scores, labels) == 37.5
    assert top1(scores, labels) == 60.0


def test_mean_per_class_against_scikit_learn(scored):
    scores, labels = scored
    expected = 100 * recall_score(labels, scores.argmax(1), average="macro")
    assert mean_per_class(scores, labels) == pytest.approx(expected, abs=1e-12)


def test_roc_auc_of_two_classes_is_that_of_the_logit_difference():
    scores = np.array([[0.0, 2.0], [5.0, 6.0], [1.0, 0.0], [0.0, 0.5]])
    labels = np.array([1, 1, 0, 0])
    # differences 2, 1, -1, .5: both positives above both negatives
    assert roc_auc(scores, labels) == 100.0


def test_roc_auc_of_many_classes_against_scikit_learn(scored):
    scores, labels = scored
    probabilities = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    expected = 100 * roc_auc_score(labels, probabilities, multi_class="ovr", average="macro")
    assert roc_auc(scores, labels) == pytest.approx(expected, abs=1e-9)


def test_roc_auc_multi_label_against_scikit_learn():
    random = np.random.default_rng(0)
    hot = (random.random((60, 3)) < 0.4).astype(np.uint8)
    scores = random.normal(size=(60, 3)) + hot
    assert roc_auc(scores, hot) == pytest.approx(100 * roc_auc_score(hot, scores, average="macro"), abs=1e-9)


def test_map11_by_hand():
    # Order by score: hit, miss, hit, miss. Precision at the hits: 1 and 2/3. Recall 0.5 after the first hit.
    # Levels 0..0.5 (6 of them) have precision 1, levels 0.6..1 (5) have 2/3.
    labels = np.array([[1], [0], [1], [0]])
    scores = np.array([[4.0], [3.0], [2.0], [1.0]])
    assert map11(scores, labels) == pytest.approx(100 * (6 * 1 + 5 * 2 / 3) / 11)


def test_map11_averages_classes_and_rewards_a_perfect_ranking():
    labels = np.array([[1, 0], [1, 0], [0, 1], [0, 1]])
    perfect = np.array([[2.0, 0], [1.5, 0], [0, 1.0], [0, 1.5]])
    assert map11(perfect, labels) == 100.0
    # second class reversed: both hits last, precision 1/3 then 2/4; the best at or beyond any level is 1/2
    reversed_second = np.array([[2.0, 3.0], [1.5, 2.0], [0, 1.0], [0, 0.5]])
    assert map11(reversed_second, labels) == pytest.approx(75.0)


def test_undefined_cases_are_refused():
    labels = np.array([0, 0, 1])
    with pytest.raises(UserError, match="class 2 has no image"):
        roc_auc(np.zeros((3, 3)), labels)
    with pytest.raises(UserError, match="class 1 has no image"):
        map11(np.zeros((2, 2)), np.array([[1, 0], [1, 0]]))
    with pytest.raises(UserError, match="unknown metric 'f1'; allowed: map11, mean_per_class, roc_auc, top1"):
        compute_metric("f1", np.zeros((1, 2)), np.zeros(1, dtype=int))
    with pytest.raises(UserError, match="got 2 predictions for 3 labels"):
        compute_metric("top1", np.zeros((2, 2)), labels)
    with pytest.raises(UserError, match="not finite"):
        compute_metric("top1", np.full((3, 2), np.nan), labels)
