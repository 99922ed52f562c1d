"""The posterior against brute force, its chances against simulated truth, the worth of a training against rollouts."""

import numpy as np
import pytest
from flat import flat_prior

from mmbnft.select.belief import WANDERS, Belief, Observation, lag
from mmbnft.select.past import Prior

NOISE = 0.3


def drawn(seed: int, count: int = 8, variance: float = 0.3) -> tuple[Prior, np.ndarray, np.random.Generator]:
    """A prior, and true targets drawn from it."""
    rng = np.random.default_rng(seed)
    mean = np.sqrt(1 - variance) * rng.standard_normal(count)
    prior = Prior(mean, np.full(count, variance), (0.7, 0.5))
    scale = np.exp(0.7 + 0.5 * rng.standard_normal())
    return prior, 70 + scale * (mean + np.sqrt(variance) * rng.standard_normal(count)), rng


def test_the_posterior_is_that_of_a_regression_written_out() -> None:
    prior, _, _ = drawn(0, 3)
    seen = [Observation(0, 1.0, 71.0, NOISE), Observation(1, 1.0, 69.0, NOISE), Observation(1, 1 / 9, 60.0, NOISE)]
    belief = Belief(prior, seen, wanders=(0.14,))
    for number, scale in enumerate(belief.scales):
        # Unknowns: y_0, y_1, y_2, level, w_1, offset of the short length; y = level + scale g, level and offset flat.
        like = belief._variances[number, 0] != 1.0
        g_mean = prior.mean if like else np.zeros(3)
        g_variance = prior.variance if like else np.ones(3)
        design = np.array([[1, 0, 0, 1, 0, 0], [0, 1, 0, 1, 0, 0], [0, 1, 0, 1, 1, 1]], dtype=float)
        centre = np.array([*(scale * g_mean), 0, 0, 0])
        flat = 1e10
        cover = np.diag([*(scale**2 * g_variance), flat, scale**2 * 0.14 * float(lag(np.array(1 / 9))), flat])
        values = np.array([one.value for one in seen])
        gain = cover @ design.T @ np.linalg.inv(design @ cover @ design.T + NOISE**2 * np.eye(3))
        found = centre + gain @ (values - design @ centre)
        expected = found[:3] + found[3]
        assert belief.targets[0][number] - belief.targets[0][number][0] == pytest.approx(
            expected - expected[0], abs=0.02
        )


def test_whole_trainings_of_all_decide() -> None:
    prior, truth, rng = drawn(3)
    seen = [Observation(n, 1.0, value + 0.05 * rng.standard_normal(), 0.05) for n, value in enumerate(truth)]
    verdict = Belief(prior, seen).verdict(0.5)
    assert verdict.pick == truth.argmax()
    assert verdict.best[verdict.pick] > 0.9
    assert verdict.regret < 0.1
    assert verdict.best.sum() == pytest.approx(1)


def test_chances_and_intervals_keep_their_word() -> None:
    stated, happened, covered, regrets = [], [], [], []
    for seed in range(150):
        prior, truth, rng = drawn(seed)
        walk = np.sqrt(WANDERS[1] * lag(np.array(1 / 9))) * np.exp(0.7)
        seen = [Observation(n, 1 / 9, truth[n] - 5 + walk * rng.standard_normal(), NOISE) for n in range(8)]
        seen += [Observation(n, 1.0, truth[n] + NOISE * rng.standard_normal(), NOISE) for n in (0, 1)]
        verdict = Belief(prior, seen, seed=seed).verdict(0.5)
        lost = truth.max() - truth[verdict.pick]
        stated.append(verdict.best[verdict.pick])
        happened.append(lost == 0)
        covered.append(verdict.interval[0] - 1e-9 <= lost <= verdict.interval[1] + 1e-9)
        regrets.append((verdict.regret, lost))
    assert np.mean(stated) == pytest.approx(np.mean(happened), abs=0.1)
    assert np.mean(covered) > 0.9
    told, true = np.mean(regrets, axis=0)
    assert told == pytest.approx(true, abs=0.3)


def test_the_worth_of_a_training_is_what_it_brings_on_average() -> None:
    prior = Prior(np.array([0.5, 0.4, -1.0]), np.array([0.3, 0.3, 0.3]), (0.7, 0.01))
    base = [Observation(n, 1.0, value, NOISE) for n, value in ((0, 71.0), (2, 65.0))]
    belief = Belief(prior, base, wanders=(0.14,))
    (worth,) = belief.worth(np.array([1]), np.array([1.0]), NOISE)
    rng, gains = np.random.default_rng(0), []
    means, covers = belief.targets
    for _ in range(300):
        which = rng.choice(len(belief.weights), p=belief.weights)
        value = means[which, 1] + np.sqrt(covers[which, 1, 1] + NOISE**2) * rng.standard_normal()
        gains.append(Belief(prior, [*base, Observation(1, 1.0, value, NOISE)], wanders=(0.14,)).mean.max())
    assert worth == pytest.approx(np.mean(gains) - belief.mean.max(), abs=0.15)
    sure = belief.worth(np.array([2, 2]), np.array([1.0, 1 / 27]), NOISE)
    assert worth > 5 * sure[0]
    assert sure[0] >= sure[1] >= 0


def test_a_value_far_below_its_length_changes_nothing_about_the_best() -> None:
    short = [80.0, 79.0, 78.0, 77.0, 76.0]
    verdicts = [
        Belief(flat_prior(6), [Observation(n, 1 / 27, v, NOISE) for n, v in enumerate([*short, low])]).verdict()
        for low in (60.0, 5.0)
    ]
    assert verdicts[0].best == pytest.approx(verdicts[1].best)
