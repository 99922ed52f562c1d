import pytest
import torch
from sklearn.metrics import accuracy_score
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.neighbors import NearestCentroid

from mmbnft.evaluation.arms import scored as scoring_module
from mmbnft.evaluation.proxies import SCORES
from mmbnft.evaluation.run import execute
from mmbnft.utils.errors import UserError


@pytest.fixture
def seen(monkeypatch):
    """What was handed to the score: features and labels."""
    calls = []

    def spy(features, labels):
        calls.append((features, labels))
        return 0.25

    monkeypatch.setitem(scoring_module.SCORES, "logme", spy)
    return calls


def test_a_score_sees_the_training_images_only(make_spec, make_recipe, options, seen, shapes):
    result = execute(make_spec("logme"), options)
    features, labels = seen[0]
    assert features.shape == (64 + 32, 32)
    assert (labels == shapes.images("trainval").labels).all()
    assert (result.protocol, result.metric, result.value, result.cost["images"]) == ("logme", "logme", 0.25, 96)
    execute(make_spec("logme", make_recipe(fit_on="train")), options)
    assert len(seen[1][0]) == 64


@pytest.mark.parametrize("name", sorted(SCORES))
def test_every_score_runs_and_is_repeatable(make_spec, options, name):
    first, second = (execute(make_spec(name), options) for _ in range(2))
    assert first.value == second.value
    assert torch.isfinite(torch.tensor(first.value))
    assert first.key == second.key != execute(make_spec("linear"), options).key


def test_nearest_class_mean_is_scikit_learns(make_spec, options, monkeypatch):
    kept = []
    real = SCORES["nearest_class_mean"]
    monkeypatch.setitem(scoring_module.SCORES, "nearest_class_mean", lambda *a: kept.append(a) or real(*a))
    value = execute(make_spec("nearest_class_mean"), options).value
    features, labels = kept[0]
    expected = accuracy_score(labels, cross_val_predict(NearestCentroid(), features, labels, cv=LeaveOneOut()))
    assert value in (pytest.approx(expected), pytest.approx(100 * expected))


def test_unknown_names_list_protocols_and_scores(make_spec):
    with pytest.raises(
        UserError, match=r"unknown protocol 'knnn'; there are bn, .* scores gbc, hscore, knn.*mean 'knn'"
    ):
        make_spec("knnn")
