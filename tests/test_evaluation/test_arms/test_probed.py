import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from mmbnft.evaluation import features as features_module
from mmbnft.evaluation.arms.probed import PublishedFit
from mmbnft.evaluation.run import execute
from mmbnft.utils.errors import UserError

GRID = [1e2, 1.0, 1e-2]


@pytest.fixture
def make_probe(make_recipe):
    def make(solver="convex", grid=tuple(GRID), **changes):
        return make_recipe(probe=dict(solver=solver, weight_decays=list(grid)), **changes)

    return make


@pytest.mark.parametrize("solver", ["convex", "sklearn"])
def test_every_image_passes_once_and_the_search_is_kept(make_spec, make_probe, options, extracted, solver):
    result = execute(make_spec("linear", make_probe(solver)), options)
    assert extracted == ["train", "val", "test"]
    search = result.details["search"]
    assert [entry["weight_decay"] for entry in search] == GRID
    best = max(search, key=lambda entry: (entry["val"], -entry["val_loss"]))
    assert result.details["chosen"] == {"weight_decay": best["weight_decay"]}
    assert all({"objective", "converged", "iterations"} <= set(entry) for entry in search)
    assert result.details["splits"]["trained"].keys() == {"train", "val"}
    assert 0 <= result.value <= 100


def test_value_is_that_of_scikit_learn_run_to_the_optimum(make_spec, make_probe, options, shapes, monkeypatch):
    kept = {}
    real = features_module.collect

    def spy(model, source, *rest):
        kept[source.split] = real(model, source, *rest)
        return kept[source.split]

    monkeypatch.setattr(features_module, "collect", spy)
    result = execute(make_spec("linear", make_probe()), options)
    labels = {split: shapes.images(split).labels for split in ("train", "val", "test")}
    scores = []
    for entry in result.details["search"]:
        model = LogisticRegression(C=1 / entry["weight_decay"], tol=1e-9, max_iter=100_000)
        model.fit(kept["train"].astype(float), labels["train"])
        scores.append(100 * model.score(kept["val"].astype(float), labels["val"]))
        losses = -model.predict_log_proba(kept["train"].astype(float))[np.arange(64), labels["train"]]
        objective = losses.sum() / entry["weight_decay"] + (model.coef_**2).sum() / 2
        assert entry["objective"] == pytest.approx(objective, rel=1e-6)
    assert [entry["val"] for entry in result.details["search"]] == pytest.approx(scores)
    model = LogisticRegression(C=1 / GRID[int(np.argmax(scores))], tol=1e-9, max_iter=100_000)
    joined = np.concatenate([kept["train"], kept["val"]]).astype(float)
    model.fit(joined, np.concatenate([labels["train"], labels["val"]]))
    assert result.value == pytest.approx(100 * model.score(kept["test"].astype(float), labels["test"]))


def test_fit_on_train_leaves_val_out_of_the_refit(make_spec, make_probe, options):
    result = execute(make_spec("linear", make_probe(fit_on="train", grid=[1.0])), options)
    assert result.details["splits"]["trained"].keys() == {"train"}
    assert (result.details["chosen_on"], result.details["search"]) == (None, [])
    assert result.cost["images"] == 64


@pytest.mark.parametrize("protocol", ["linear_recalibrated", "bn", "linear_then_bn"])
def test_protocols_that_change_the_backbone_are_trained(make_spec, make_probe, options, protocol):
    assert "refit" not in execute(make_spec(protocol, make_probe(epochs=1)), options).details


def test_a_head_norm_contradicts_a_probe(make_spec, make_probe, options):
    with pytest.raises(UserError, match="both probe and norm_before_classifier"):
        execute(make_spec("linear", make_probe(norm_before_classifier=True)), options)


def test_published_fit_is_scikit_learns_warm_started_path():
    rng = np.random.default_rng(0)
    labels = rng.integers(4, size=80)
    features = rng.standard_normal((80, 10)) + np.eye(4, 10)[labels]
    model = LogisticRegression(warm_start=True)
    grid = list(np.logspace(-3, 3, 7))
    fit = PublishedFit(4)
    solutions = fit(torch.from_numpy(features), labels, grid)
    for decay, solution in zip(grid, solutions, strict=True):
        model.set_params(C=1 / decay).fit(features, labels)
        np.testing.assert_array_equal(solution.weight.numpy(), model.coef_.T)
        np.testing.assert_array_equal(solution.intercept.numpy(), model.intercept_)
        assert solution.iterations == model.n_iter_[0]
    again = fit(torch.from_numpy(features), labels, [1.0])[0]
    model.set_params(C=1.0).fit(features, labels)
    np.testing.assert_array_equal(again.weight.numpy(), model.coef_.T)
    optima = [entry["optimum"] for entry in PublishedFit(4).optima(torch.from_numpy(features), labels, grid)]
    assert all(one.objective >= best * (1 - 1e-6) for one, best in zip(solutions, optima, strict=True))


def test_published_two_class_fit_is_softmax_over_two_classes():
    rng = np.random.default_rng(1)
    labels = rng.integers(2, size=60)
    features = rng.standard_normal((60, 5)) + labels[:, None]
    for targets in (labels, np.stack([labels, 1 - labels], 1)):
        solution = PublishedFit(2)(torch.from_numpy(features), targets, [0.1])[0]
        model = LogisticRegression(C=20.0).fit(features, labels)
        margin = solution.scores(torch.from_numpy(features)).numpy()
        expected = model.decision_function(features)
        if targets.ndim == 1:
            np.testing.assert_allclose(margin[:, 1] - margin[:, 0], expected, rtol=1e-6)
        else:
            np.testing.assert_allclose(margin[:, 0], expected, rtol=1e-3, atol=1e-3)
