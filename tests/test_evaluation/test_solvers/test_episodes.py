import warnings

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from mmbnft.evaluation.solvers.episodes import fit_episodes
from mmbnft.utils.errors import UserError


def _episodes(count, classes, shots, width, spread=1.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.stack([torch.randperm(classes * shots, generator=generator) % classes for _ in range(count)])
    centres = torch.randn(count, classes, width, generator=generator, dtype=torch.float64)
    noise = torch.randn(count, classes * shots, width, generator=generator, dtype=torch.float64)
    return centres[torch.arange(count)[:, None], labels] + spread * noise + 3.0, labels


def _objective(features, labels, weight, bias, weight_decay):
    """Independent of the code under test: NumPy, one episode."""
    scores = features @ weight.T + bias
    right = scores[np.arange(len(labels)), labels]
    entropies = np.logaddexp.reduce(scores - right[:, None], axis=1)
    return entropies.sum() + 0.5 * weight_decay * (weight**2).sum()


def _scikit(features, labels, weight_decay):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = LogisticRegression(C=1 / weight_decay, tol=1e-12, max_iter=20_000).fit(features, labels)
    return model.coef_, model.intercept_


@pytest.mark.parametrize(
    ("classes", "shots", "width", "spread", "weight_decay"),
    [(5, 1, 40, 1.0, 1.0), (5, 5, 40, 1.0, 1.0), (5, 5, 40, 0.1, 1e-3), (3, 20, 8, 2.0, 0.1), (4, 6, 3, 2.0, 10.0)],
)
def test_optimum_is_scikit_learns(classes, shots, width, spread, weight_decay):
    features, labels = _episodes(3, classes, shots, width, spread)
    weight, bias = fit_episodes(features, labels, classes, weight_decay)
    assert weight.shape == (3, classes, width)
    assert bias.shape == (3, classes)
    for episode in range(3):
        x, y = features[episode].numpy(), labels[episode].numpy()
        coef, intercept = _scikit(x, y, weight_decay)
        best = _objective(x, y, coef, intercept, weight_decay)
        reached = _objective(x, y, weight[episode].numpy(), bias[episode].numpy(), weight_decay)
        assert reached == pytest.approx(best, rel=1e-6)
        np.testing.assert_allclose(weight[episode], coef, atol=1e-3 * np.abs(coef).max())
        np.testing.assert_allclose(bias[episode], intercept - intercept.mean(), atol=1e-2)


def test_two_classes_against_a_general_optimiser():
    features, labels = _episodes(1, 2, 4, 3, spread=2.0)
    x, y = features[0].numpy(), labels[0].numpy()

    def objective(values):
        return _objective(x, y, values[:6].reshape(2, 3), values[6:], 0.3)

    best = minimize(objective, np.zeros(8), method="BFGS", options={"gtol": 1e-9}).fun
    weight, bias = fit_episodes(features, labels, 2, 0.3)
    assert _objective(x, y, weight[0].numpy(), bias[0].numpy(), 0.3) == pytest.approx(best, rel=1e-8)


@pytest.mark.parametrize("weight_decay", [1e-4, 1e-8])
def test_separable_data_at_tiny_weight_decay_is_stationary(weight_decay):
    features, labels = _episodes(4, 5, 3, 30, spread=0.5)
    weight, bias = (value.requires_grad_() for value in fit_episodes(features, labels, 5, weight_decay))
    scores = features @ weight.mT + bias[:, None]
    loss = torch.nn.functional.cross_entropy(scores.flatten(0, 1), labels.flatten(), reduction="sum")
    objective = loss + 0.5 * weight_decay * (weight**2).sum()
    objective.backward()
    # An objective strongly convex in the weights is within |gradient|^2 / (2 weight_decay) of its minimum.
    assert (weight.grad**2).sum() / (2 * weight_decay) < 1e-6 * objective
    assert bias.grad.abs().max() < 1e-6 * objective
    assert (scores.argmax(-1) == labels).all()


def test_duplicate_images_and_a_class_given_once():
    labels = torch.tensor([[0, 0, 0, 1, 1, 2]])
    features = torch.randn(1, 3, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)[:, labels[0]]
    weight, bias = fit_episodes(features, labels, 3, 0.5)
    coef, intercept = _scikit(features[0].numpy(), labels[0].numpy(), 0.5)
    best = _objective(features[0].numpy(), labels[0].numpy(), coef, intercept, 0.5)
    assert _objective(features[0].numpy(), labels[0].numpy(), weight[0].numpy(), bias[0].numpy(), 0.5) == pytest.approx(
        best, rel=1e-8
    )


def test_equal_images_leave_only_the_biases():
    labels = torch.tensor([[0, 0, 0, 1]])
    weight, bias = fit_episodes(torch.full((1, 4, 3), 2.0), labels, 2, 1.0)
    assert weight.abs().max() < 1e-9
    assert torch.allclose(bias.softmax(-1), torch.tensor([[0.75, 0.25]], dtype=torch.float64), atol=1e-5)


def test_float32_is_computed_in_float64_and_episodes_do_not_mix():
    features, labels = _episodes(5, 4, 3, 20)
    together = fit_episodes(features.float(), labels, 4, 0.1)
    for episode in range(5):
        alone = fit_episodes(features.float().double()[episode : episode + 1], labels[episode : episode + 1], 4, 0.1)
        for one, many in zip(alone, together, strict=True):
            assert many.dtype == torch.float64
            assert torch.allclose(one[0], many[episode], atol=1e-4)


def test_many_images_are_split_into_chunks_without_a_seam(monkeypatch):
    features, labels = _episodes(7, 3, 4, 10)
    whole = fit_episodes(features, labels, 3, 1.0)
    monkeypatch.setattr("mmbnft.evaluation.solvers.episodes._CHUNK_VALUES", 2 * 12 * 12)
    for one, other in zip(whole, fit_episodes(features, labels, 3, 1.0), strict=True):
        assert torch.allclose(one, other, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.update(features=a["features"] * float("nan")), "not all finite"),
        (lambda a: a.update(features=a["features"][0]), r"floating \(E, M, D\)"),
        (lambda a: a.update(labels=a["labels"].int()), "labels must be int64"),
        (lambda a: a.update(labels=a["labels"] + 1), "labels must lie in 0 to 2"),
        (lambda a: a.update(labels=a["labels"] * 0), "class 1 has no image in episode 0"),
        (lambda a: a.update(weight_decay=0.0), "weight_decay must be a finite number above 0"),
        (lambda a: a.update(classes=1), "at least 2 classes"),
    ],
)
def test_bad_input_is_refused(change, message):
    features, labels = _episodes(2, 3, 2, 4)
    arguments = {"features": features, "labels": labels, "classes": 3, "weight_decay": 1.0}
    change(arguments)
    with pytest.raises(UserError, match=message):
        fit_episodes(**arguments)


def test_features_beyond_all_scale_are_refused_in_a_sentence():
    features, labels = _episodes(2, 3, 2, 4)
    with pytest.raises(UserError, match="did not reach its optimum"):
        fit_episodes(features * 1e200, labels, 3, 1.0)
