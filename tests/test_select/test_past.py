"""Covariances of past tables: recovered from simulated ones, and predictions against the whole Gaussian written out."""

import numpy as np
import pytest

from mmbnft.select.past import SCALE_PRIOR, Past, Table, standardised, without_low_outliers

BETWEEN = np.array([[0.7, 0.5], [0.5, 0.7]])
WITHIN = np.array([[0.3, 0.1], [0.1, 0.3]])


def simulated(checkpoints: int, tasks: int, seed: int = 0, scale: float = 3.0) -> Table:
    """A table drawn from the model."""
    rng = np.random.default_rng(seed)
    effects = rng.multivariate_normal(np.zeros(2), BETWEEN, checkpoints)
    cells = effects + rng.multivariate_normal(np.zeros(2), WITHIN, (tasks, checkpoints))
    names = tuple(f"c{n}" for n in range(checkpoints))
    return Table(names, tuple(f"t{n}" for n in range(tasks)), ("finetune", "linear"), 70 + scale * cells)


def test_covariances_are_found_again() -> None:
    past = Past([simulated(60, 40)], ("linear",), "finetune")
    assert past.between == pytest.approx(BETWEEN, abs=0.15)
    assert past.within == pytest.approx(WITHIN, abs=0.06)


def test_missing_cells_lose_nothing_but_accuracy() -> None:
    table = simulated(60, 40)
    values = table.values.copy()
    values[np.random.default_rng(1).random(values.shape) < 0.3] = np.nan
    past = Past([Table(table.checkpoints, table.tasks, table.protocols, values)], ("linear",), "finetune")
    assert past.between == pytest.approx(BETWEEN, abs=0.2)
    assert past.within == pytest.approx(WITHIN, abs=0.08)


def test_a_prediction_is_that_of_the_joint_gaussian() -> None:
    table, new = simulated(6, 4), np.array([1.0, 2.0, 4.0, 3.0, 5.0, 8.0])
    past = Past([table], ("linear",), "finetune")
    prior = past.prior(table.checkpoints, {"linear": new})
    cells = np.stack([standardised(values) for values in table.values])
    proxy = standardised(np.column_stack([new, new]))[:, 0]
    tasks, size = len(table.tasks) + 1, 2
    joint = np.kron(np.ones((tasks, tasks)), past.between) + np.kron(np.eye(tasks), past.within)
    known = [*range((tasks - 1) * size), (tasks - 1) * size + 1]
    target = (tasks - 1) * size
    for row in range(len(new)):
        seen = np.concatenate([cells[:, row].ravel(), proxy[row : row + 1]])
        gain = np.linalg.solve(joint[np.ix_(known, known)], joint[known, target])
        assert prior.mean[row] == pytest.approx(gain @ seen)
        assert prior.variance[row] == pytest.approx(joint[target, target] - gain @ joint[known, target])


def test_an_unknown_proxy_is_not_trusted_and_a_stranger_only_by_its_proxies() -> None:
    table = simulated(30, 20)
    past = Past([table], ("linear", "logme"), "finetune")
    noise = {"logme": np.arange(6.0)}
    assert past.prior([""] * 6, noise).mean == pytest.approx(np.zeros(6), abs=1e-9)
    told = past.prior([""] * 6, {"linear": np.arange(6.0)})
    assert np.all(np.diff(told.mean) > 0)
    known = past.prior(table.checkpoints[:6], {"linear": np.arange(6.0)})
    assert known.variance.mean() < told.variance.mean() < 1


def test_without_a_past_the_prior_is_flat() -> None:
    found = Past([], ("linear",), "finetune").prior(["a"] * 5, {"linear": np.arange(5.0)})
    assert found.mean == pytest.approx(np.zeros(5), abs=1e-9)
    assert found.variance == pytest.approx(np.ones(5))
    assert found.log_scale == pytest.approx(SCALE_PRIOR)


def test_how_far_a_bad_checkpoint_lags_does_not_matter() -> None:
    values = np.array([70.0, 71.0, 72.0, 73.0, 74.0, 1.0])
    drawn = without_low_outliers(values)
    assert drawn[:5] == pytest.approx(values[:5])
    assert 60 < drawn[5] < 70
    assert without_low_outliers(np.array([1.0, 70.0, 71.0])) == pytest.approx([1.0, 70.0, 71.0])
    assert np.isnan(standardised(np.ones((5, 1)))).all()
