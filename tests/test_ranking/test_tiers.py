import numpy as np
import pytest
from scipy import stats

from mmbnft.ranking import tiers
from mmbnft.ranking.statistics import midranks


def test_two_checkpoints_are_told_apart_where_tukeys_test_of_scipy_does():
    rng = np.random.default_rng(0)
    for shift in np.linspace(0, 4, 15):
        runs = rng.normal(size=(5, 4))
        runs[0] += shift
        sample = tiers.repeated(runs, aligned=False)
        p_values = stats.tukey_hsd(*runs).pvalue
        leader = int(runs.mean(axis=1).argmax())
        assert (tiers.tukey_tiers(sample).max() > 1) == bool((p_values[leader] < 0.05).any())


def test_unequal_numbers_of_runs_follow_tukey_and_kramer():
    rng = np.random.default_rng(1)
    found = []
    for _ in range(30):
        runs = rng.normal(size=(4, 5)) + np.array([1.5, 0, 0, 0])[:, None]
        runs[0, 2:] = np.nan
        runs[2, 4] = np.nan
        rows = [row[np.isfinite(row)] for row in runs]
        p_values, leader = stats.tukey_hsd(*rows).pvalue, int(np.nanmean(runs, axis=1).argmax())
        second = tiers.tukey_tiers(tiers.repeated(runs, aligned=False)).max() > 1
        assert second == bool((p_values[leader] < 0.05).any())
        found.append(second)
    assert 0 < sum(found) < 30


def test_what_a_split_does_to_all_alike_is_taken_off():
    runs = np.array([[1.0, 11, 21], [2, 12, 22.5], [0, 10, 20.5]])
    paired, plain = tiers.repeated(runs, aligned=True), tiers.repeated(runs, aligned=False)
    assert paired.freedom == 4
    assert plain.freedom == 6
    assert paired.deviation < 0.5 < 5 < plain.deviation
    anova = runs - runs.mean(axis=1, keepdims=True) - runs.mean(axis=0) + runs.mean()
    assert paired.deviation == pytest.approx(np.sqrt((anova**2).sum() / 4))


@pytest.mark.parametrize(("n", "repeats"), [(3, 3), (12, 2), (24, 3)])
def test_equal_checkpoints_have_a_second_tier_in_5_percent(n, repeats):
    rng = np.random.default_rng(2)
    many = [tiers.tukey_tiers(tiers.repeated(runs, True)).max() > 1 for runs in rng.normal(size=(1500, n, repeats))]
    assert np.mean(many) == pytest.approx(0.05, abs=0.018)


def test_forty_checkpoints_may_have_tiers():
    runs = np.arange(40.0)[:, None] + 0.1 * np.random.default_rng(0).normal(size=(40, 3))
    assert tiers.tukey_tiers(tiers.repeated(runs, True)).max() == 40


def test_one_run_has_no_deviation_and_equal_runs_have_none_to_doubt():
    assert tiers.repeated(np.ones((3, 1)), True) is None
    sample = tiers.repeated(np.array([[0.1 + 0.2, 0.3], [0.3, 0.3], [0.2, 0.2]]), False)
    assert tiers.tukey_tiers(sample).tolist() == [1, 1, 2]


def chance(sample, group, rng):
    draws = tiers.likely_values(sample, group, 4000, rng)
    return tiers.standings(draws, midranks(sample.means))


def test_without_shrinkage_values_are_the_t_posterior_of_scipy():
    sample = tiers.repeated(np.array([[1.0, 2, 3], [4, 6, 5.5]]), False)
    draws = tiers.likely_values(sample, np.zeros(2, bool), 100_000, np.random.default_rng(0))
    expected = stats.t.interval(0.95, sample.freedom, sample.means, sample.deviation / np.sqrt(3))
    np.testing.assert_allclose(np.quantile(draws, [0.025, 0.975], axis=0), expected, atol=0.05)


def test_close_checkpoints_share_the_chance_of_being_best_and_a_clear_leader_keeps_it():
    rng = np.random.default_rng(3)
    runs = rng.normal(size=(12, 3))
    close = tiers.repeated(runs, True)
    everyone = np.ones(12, bool)
    flat = chance(close, np.zeros(12, bool), rng)[2].max()
    assert chance(close, everyone, rng)[2].max() < 0.75 * flat
    clear = tiers.repeated(runs + np.r_[20.0, np.zeros(11)][:, None], True)
    assert chance(clear, tiers.tukey_tiers(clear) == 1, rng)[2][0] > 0.99


def test_the_said_chance_of_the_leader_is_met_among_close_checkpoints():
    rng = np.random.default_rng(4)
    said, right = [], []
    for _ in range(300):
        truth = rng.normal(0, 0.4, 12)
        sample = tiers.repeated(truth[:, None] + rng.normal(size=(12, 2)), True)
        draws = tiers.likely_values(sample, tiers.tukey_tiers(sample) == 1, 300, rng)
        best = tiers.standings(draws, midranks(sample.means))[2]
        said.append(best.max())
        right.append(best.argmax() == truth.argmax())
    assert np.mean(said) - np.mean(right) < 0.1


def test_a_rank_interval_holds_its_rank():
    rng = np.random.default_rng(5)
    sample = tiers.repeated(rng.normal(size=(12, 2)), True)
    ranks = midranks(sample.means)
    low, high, _ = chance(sample, np.ones(12, bool), rng)
    assert (low <= ranks).all()
    assert (ranks <= high).all()
