import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from mmbnft.evaluation.solvers import logistic
from mmbnft.evaluation.solvers.logistic import solve_grid
from mmbnft.utils.errors import UserError


def problem(count=120, width=30, classes=5, seed=0, spread=1.0):
    """Correlated, non-negative features, as behind a ReLU, and noisy labels."""
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), rng.integers(classes, size=count - classes)])
    mixing = rng.standard_normal((width, width)) * (1 + np.arange(width))[:, None] ** -0.5
    centres = spread * rng.standard_normal((classes, width))
    features = np.maximum((centres[labels] + rng.standard_normal((count, width))) @ mixing / 5 + 0.2, 0)
    return torch.tensor(features, dtype=torch.float32), torch.from_numpy(labels)


def reference(features, labels, decay):
    """scikit-learn's optimum by Newton's method, and its objective."""
    model = LogisticRegression(C=1 / decay, tol=1e-12, max_iter=1000, solver="newton-cholesky")
    inputs, targets = features.double().numpy(), labels.numpy()
    model.fit(inputs, targets)
    return model, objective(model.coef_, model.intercept_, inputs, targets, decay)


def objective(coef, intercept, inputs, targets, decay):
    scores = inputs @ coef.T + intercept
    if scores.shape[1] == 1:
        losses = np.logaddexp(0, -np.where(targets == 1, 1, -1) * scores[:, 0])
    else:
        losses = np.logaddexp.reduce(scores, axis=1) - scores[np.arange(len(targets)), targets]
    return losses.sum() / decay + (coef**2).sum() / 2


@pytest.mark.parametrize(("count", "width", "classes"), [(120, 30, 5), (60, 200, 6), (300, 20, 3), (90, 25, 2)])
def test_objective_is_the_optimum_over_the_whole_range(count, width, classes):
    features, labels = problem(count, width, classes)
    grid = list(np.logspace(-6, 5, 12))
    for decay, found in zip(grid, solve_grid(features, labels, classes, grid), strict=True):
        _, lowest = reference(features, labels, decay)
        coef, intercept = found.weight.numpy().T, found.intercept.numpy()
        if classes == 2:
            coef, intercept = coef[1:] - coef[:1], intercept[1:] - intercept[:1]
        reached = objective(coef, intercept, features.double().numpy(), labels.numpy(), decay)
        assert found.converged
        assert found.weight_decay == decay
        assert reached <= lowest * (1 + 1e-6)
        assert found.objective == pytest.approx(reached, rel=1e-5)


def test_choice_on_val_is_that_of_scikit_learn_at_its_optimum():
    grid = list(np.logspace(-4, 4, 9))
    for seed in range(3):
        features, labels = problem(200, 40, 6, seed, spread=0.3)
        fit, val = slice(0, 120), slice(120, 200)
        ours = solve_grid(features[fit], labels[fit], 6, grid)
        scores = [float((one.scores(features[val]).argmax(1) == labels[val]).double().mean()) for one in ours]
        theirs = []
        for decay in grid:
            model, _ = reference(features[fit], labels[fit], decay)
            theirs.append(model.score(features[val].double().numpy(), labels[val].numpy()))
        assert int(np.argmax(scores)) == int(np.argmax(theirs))


def test_multi_label_is_one_binary_fit_for_each_class():
    features, labels = problem()
    hot = torch.nn.functional.one_hot(labels, 5)
    hot[::7, 0] = 1
    grid = [1e3, 1.0, 1e-4]
    for decay, found in zip(grid, solve_grid(features, hot, 5, grid), strict=True):
        total = 0.0
        for number in range(5):
            _, lowest = reference(features, hot[:, number], decay)
            reached = objective(found.weight[:, number : number + 1].numpy().T, found.intercept[number].numpy(),
                                features.double().numpy(), hot[:, number].numpy(), decay)  # fmt: skip
            assert reached <= lowest * (1 + 1e-6)
            total += reached
        assert found.objective == pytest.approx(total, rel=1e-5)


def test_order_and_repeats_of_the_grid_do_not_matter():
    features, labels = problem()
    grid = [1.0, 1e3, 1e-3, 1.0]
    found = solve_grid(features, labels, 5, grid)
    ordered = solve_grid(features, labels, 5, [1e3, 1.0, 1e-3])
    assert [one.weight_decay for one in found] == grid
    assert torch.equal(found[0].weight, ordered[1].weight)
    assert torch.equal(found[0].weight, found[3].weight)


def test_a_single_small_weight_decay_is_solved_from_nothing():
    features, labels = problem()
    found = solve_grid(features, labels, 5, [1e-6])[0]
    _, lowest = reference(features, labels, 1e-6)
    assert found.converged
    assert found.objective == pytest.approx(lowest, rel=1e-5)


@pytest.mark.parametrize("scale", [1e-3, 30.0])
def test_scale_of_the_features_is_no_obstacle(scale):
    features, labels = problem()
    for found in solve_grid(features * scale, labels, 5, [1e2, 1e-2, 1e-5]):
        _, lowest = reference(features * scale, labels, found.weight_decay)
        assert found.converged
        assert found.objective <= lowest * (1 + 1e-5)


def test_a_class_without_images_is_never_predicted():
    features, labels = problem(classes=4)
    found = solve_grid(features, labels, 7, [1.0])[0]
    known = solve_grid(features, labels, 4, [1.0])[0]
    scores = found.scores(features)
    assert scores.shape == (120, 7)
    assert torch.isfinite(scores).all()
    assert scores.argmax(1).max() < 4
    # The last bit of a product depends on the number of columns beside it on some processors.
    torch.testing.assert_close(scores[:, :4], known.scores(features), rtol=1e-12, atol=1e-12)
    hot = torch.nn.functional.one_hot(labels, 6)
    hot[:, 5] = 1
    shown = solve_grid(features, hot, 6, [1.0])[0].scores(features)
    assert (shown[:, 4] < -1e20).all()
    assert (shown[:, 5] > 1e20).all()


def test_fewer_images_than_classes_can_be_fitted():
    features, labels = problem(count=6, width=12, classes=6)
    found = solve_grid(features, labels, 9, [1e-3])[0]
    assert found.converged
    assert (found.scores(features).argmax(1) == labels).all()


def test_constant_features_carry_nothing_and_hurt_nothing():
    features, labels = problem()
    plain = solve_grid(features, labels, 5, [0.1])[0]
    padded = solve_grid(torch.cat([features, torch.full((120, 3), 0.3)], 1), labels, 5, [0.1])[0]
    assert padded.weight[30:].abs().max() < 1e-8 * padded.weight.abs().max()
    assert padded.objective == pytest.approx(plain.objective, rel=1e-6)
    none = solve_grid(torch.full((120, 3), 0.3), labels, 5, [1e-6, 1.0])
    shares = np.bincount(labels.numpy()) / 120
    for found in none:
        assert found.converged
        assert torch.softmax(found.intercept, 0).numpy() == pytest.approx(shares, rel=1e-5)


def test_half_precision_features_are_those_numbers():
    features, labels = problem()
    half = features.half()
    assert solve_grid(half, labels, 5, [1.0])[0].objective == solve_grid(half.float(), labels, 5, [1.0])[0].objective


def test_what_float32_cannot_solve_goes_on_in_float64():
    features, labels = problem()
    found = solve_grid(features, labels, 5, [1e-5], tolerance=1e-15)[0]
    assert found.converged
    assert found.slack <= 1e-15


def test_what_cannot_be_solved_is_said(monkeypatch):
    monkeypatch.setattr(logistic.Newton, "MAX_STEPS", 1)
    features, labels = problem()
    found = solve_grid(features, labels, 5, [1e5, 1e-6])
    assert not found[1].converged
    assert found[1].slack > logistic.TOLERANCE


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_features_that_are_not_finite_are_refused(value):
    features, labels = problem()
    features[3, 4] = value
    with pytest.raises(UserError, match="features must be finite"):
        solve_grid(features, labels, 5, [1.0])


def test_wrong_shapes_and_equal_labels_are_refused():
    features, labels = problem()
    with pytest.raises(UserError, match=r"got shapes \(120, 30\) and \(119,\)"):
        solve_grid(features, labels[1:], 5, [1.0])
    with pytest.raises(UserError, match="labels must differ"):
        solve_grid(features, torch.zeros_like(labels), 5, [1.0])
