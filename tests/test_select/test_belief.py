"""The posterior against brute force, its chances against simulated truth, the worth of a training against rollouts."""

import copy

import numpy as np
import pytest
from flat import add, flat_prior, seen_of

from mmbnft.select.belief import WANDERS, Belief, Seen, lag
from mmbnft.select.past import Prior, without_low_outliers
from mmbnft.select.race import SHARES

NOISE = 0.3
# Only the variance in the middle is believed in, as a walk or a power law.
MIDDLE = np.array([[1e-300, 1e-300], [1.0, 1.0], [1e-300, 1e-300]])


def drawn(seed: int, count: int = 8, variance: float = 0.3) -> tuple[Prior, np.ndarray, np.random.Generator]:
    """A prior, and true targets drawn from it."""
    rng = np.random.default_rng(seed)
    mean = np.sqrt(1 - variance) * rng.standard_normal(count)
    prior = Prior(mean, np.full(count, variance), (0.7, 0.5))
    scale = np.exp(0.7 + 0.5 * rng.standard_normal())
    return prior, 70 + scale * (mean + np.sqrt(variance) * rng.standard_normal(count)), rng


def test_the_posterior_is_that_of_a_regression_written_out() -> None:
    prior, _, _ = drawn(0, 3)
    trainings = [(0, 1.0, 71.0), (1, 1.0, 69.0), (1, 1.0, 69.5), (1, 1 / 9, 60.0), (2, 1 / 9, 61.0), (2, 1 / 27, 50.0)]
    belief = Belief(prior, SHARES, seen_of(3, trainings, NOISE), curves=MIDDLE)
    depth, values = lag(np.array(SHARES[:3])), np.array([value for _, _, value in trainings])
    logs, differences = [], []
    believed = [number for number in range(len(belief.scales)) if number // 4 % 3 == 1]
    for number in believed:
        scale = belief.scales[number]
        like, power = (number % 4) < 2, 0.9 * (number % 2)
        # Unknowns: y_0, y_1, y_2, level, three offsets, and w of checkpoints 1 and 2 at three lengths.
        walk, law = np.minimum.outer(depth, depth), np.sqrt(np.outer(depth, depth))
        ways = scale**2 * 0.14 * (power * law + (1 - power) * walk)
        cover = np.zeros((13, 13))
        cover[:3, :3] = scale**2 * np.diag(prior.variance if like else np.ones(3))
        cover[3:7, 3:7] = 1e8 * np.eye(4)
        cover[7:10, 7:10] = cover[10:, 10:] = ways
        design = np.zeros((len(trainings), 13))
        for row, (one, share, _) in enumerate(trainings):
            design[row, [one, 3]] = 1
            if share < 1:
                length = SHARES.index(share)
                design[row, [4 + length, 4 + 3 * one + length]] = 1
        centre = np.concatenate([scale * prior.mean * like, np.zeros(10)])
        spread = design @ cover @ design.T + NOISE**2 * np.eye(len(trainings))
        rest = values - design @ centre
        found = (centre + cover @ design.T @ np.linalg.solve(spread, rest))[:4]
        logs.append(np.log(0.95 if like else 0.05) - 0.5 * (rest @ np.linalg.solve(spread, rest))
                    - 0.5 * np.linalg.slogdet(spread)[1])  # fmt: skip
        left = cover - cover @ design.T @ np.linalg.solve(spread, design @ cover)
        differences.append((found[2] - found[0], left[0, 0] + left[2, 2] - 2 * left[0, 2]))
        means = belief.means[0, number]
        assert means - means[0] == pytest.approx(found[:3] - found[0], abs=0.01)
        if belief.weights[0, number] > 0.5:
            assert belief.expected[0] == pytest.approx(found[:3] + found[3], abs=0.3)
    weights = np.exp(np.array(logs) - np.max(logs))
    assert belief.weights[0, believed] == pytest.approx(weights / weights.sum(), abs=1e-3)
    weights /= weights.sum()
    mean, variance = np.array(differences).T
    drawn_apart = belief.samples[0, :, 2] - belief.samples[0, :, 0]
    expected = weights @ (variance + mean**2) - (weights @ mean) ** 2
    assert drawn_apart.var() == pytest.approx(expected, rel=0.15)


def test_races_at_once_are_as_races_one_by_one() -> None:
    prior, truth, rng = drawn(1)
    together = Seen.nothing(5, 8, 4)
    for race in range(5):
        for one in rng.permutation(8)[:6]:
            where = (np.array([race]), np.array([one]), rng.integers(4, size=1))
            together.add(where, truth[[one]] + rng.standard_normal(1), NOISE)
    everything = Belief(prior, SHARES, together)
    worth, verdicts = everything.worth(NOISE), everything.verdicts(0.5)
    for race in range(5):
        part = Seen(*(getattr(together, name)[[race]] for name in ("count", "precision", "total")))
        alone = Belief(prior, SHARES, part)
        assert alone.worth(NOISE)[0] == pytest.approx(worth[race])
        (verdict,) = alone.verdicts(0.5)
        assert verdict.best == pytest.approx(verdicts[race].best)
        assert verdict.regret == pytest.approx(verdicts[race].regret)


def test_whole_trainings_of_all_decide() -> None:
    prior, truth, rng = drawn(3)
    seen = seen_of(8, [(n, 1.0, value + 0.05 * rng.standard_normal()) for n, value in enumerate(truth)], 0.05)
    belief = Belief(prior, SHARES, seen)
    (verdict,) = belief.verdicts(0.5)
    assert verdict.pick == truth.argmax()
    assert verdict.best[verdict.pick] > 0.9
    assert verdict.regret < 0.1
    assert verdict.best.sum() == pytest.approx(1)
    top = truth >= np.sort(truth)[-4]  # low outliers are drawn in
    assert belief.expected[0, top] == pytest.approx(truth[top], abs=0.2)
    assert np.isnan(Belief(prior, SHARES, Seen.nothing(1, 8, 4)).expected).all()


def test_chances_and_bounds_keep_their_word() -> None:
    races, stated, happened, covered, regrets = 150, [], [], [], []
    for seed in range(races):
        prior, truth, rng = drawn(seed)
        walk = np.sqrt(WANDERS[1] * lag(np.array(1 / 9))) * np.exp(0.7)
        trainings = [(n, 1 / 9, truth[n] - 5 + walk * rng.standard_normal() + NOISE * rng.standard_normal())
                     for n in range(8)]  # fmt: skip
        trainings += [(n, 1.0, truth[n] + NOISE * rng.standard_normal()) for n in (0, 1)]
        (verdict,) = Belief(prior, SHARES, seen_of(8, trainings), seed=seed).verdicts(0.5)
        lost = truth.max() - truth[verdict.pick]
        stated.append(verdict.best[verdict.pick])
        happened.append(lost == 0)
        covered.append(lost <= verdict.upper + 1e-9)
        regrets.append((verdict.regret, lost))
    assert np.mean(stated) == pytest.approx(np.mean(happened), abs=0.1)
    assert 0.9 < np.mean(covered) < 0.99
    said, true = np.mean(regrets, axis=0)
    assert said == pytest.approx(true, abs=0.3)


def test_the_worth_of_a_training_is_what_it_brings_on_average() -> None:
    prior = Prior(np.array([0.5, 0.4, -1.0]), np.array([0.3, 0.3, 0.3]), (0.7, 0.01))
    seen = seen_of(3, [(0, 1.0, 71.0), (2, 1.0, 65.0)])
    belief = Belief(prior, SHARES, seen, curves=MIDDLE)
    worth = belief.worth(NOISE)[0, 1, -1]
    rng, gains = np.random.default_rng(0), []
    values = belief.samples[0, :, 1] - belief.mean[0, 1] + belief.expected[0, 1]
    for value in rng.choice(values, 300):
        after = copy.deepcopy(seen)
        add(after, 1, 3, value + NOISE * rng.standard_normal())
        gains.append(Belief(prior, SHARES, after, curves=MIDDLE).expected.max())
    assert worth == pytest.approx(np.mean(gains) - belief.expected.max(), abs=0.15)
    sure = belief.worth(NOISE)[0, 2]
    assert worth > 5 * sure[-1]
    assert sure[-1] >= sure[0] >= 0


def test_values_far_below_their_length_are_drawn_in() -> None:
    short = [80.0, 79.0, 78.0, 77.0, 76.0]
    verdicts = [
        Belief(flat_prior(6), SHARES, seen_of(6, [(n, 1 / 27, v) for n, v in enumerate([*short, low])])).verdicts()[0]
        for low in (60.0, 5.0)
    ]
    assert verdicts[0].best == pytest.approx(verdicts[1].best)
    rng = np.random.default_rng(0)
    values = rng.standard_t(2, size=(9, 7))
    seen = Seen.nothing(9, 7, 1)
    seen.add(tuple(np.indices((9, 7, 1))), values[..., None], 0.3)
    centred, middle = seen.centred()
    expected = np.array([without_low_outliers(row) for row in values])
    assert centred[..., 0] + middle[:, :1] == pytest.approx(expected)


def test_of_two_that_are_level_the_one_that_rises_faster_is_expected_to_end_higher() -> None:
    first = {0: 65.0, 1: 70.0, 2: 68.0, 3: 66.0, 4: 72.0}
    second = {0: 75.0, 1: 75.0, 2: 76.0, 3: 76.5, 4: 74.0}
    trainings = [(n, 1 / 27, value) for n, value in first.items()] + [(n, 1 / 9, value) for n, value in second.items()]
    (mean,) = Belief(flat_prior(5), SHARES, seen_of(5, trainings)).mean
    assert mean[0] > mean[1] + 0.05
