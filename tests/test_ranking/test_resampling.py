import itertools

import numpy as np
import pytest
from scipy import stats

from mmbnft.ranking import resampling
from mmbnft.ranking.statistics import STATISTICS, kendall, pearson


@pytest.fixture
def pair():
    rng = np.random.default_rng(5)
    target = rng.normal(size=12)
    return 0.7 * target + 0.7 * rng.normal(size=12), target


def test_percentile_and_bca_agree_with_scipy(pair):
    proxy, target = pair
    draws = np.random.default_rng(0).integers(0, 12, (20_000, 12))
    boot = pearson(proxy[draws], target[draws])
    left_out = resampling.jackknife(pearson, proxy, target)
    for method, ours in (
        ("percentile", resampling.percentile(boot)),
        ("BCa", resampling.bca(boot, float(pearson(proxy, target)), left_out)),
    ):
        theirs = stats.bootstrap(
            (proxy, target),
            lambda a, b, axis: pearson(a, b),
            paired=True,
            vectorized=True,
            n_resamples=20_000,
            method=method,
            rng=np.random.default_rng(1),
        ).confidence_interval
        assert ours == pytest.approx((theirs.low, theirs.high), abs=0.03)


def test_expanded_interval_holds_the_percentile_interval(pair):
    proxy, target = pair
    draws = np.random.default_rng(0).integers(0, 12, (5000, 12))
    boot = pearson(proxy[draws], target[draws])
    wide, narrow = resampling.expanded(boot, 12), resampling.percentile(boot)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]
    # For a mean of normal values the expanded interval is Student's t interval.
    values = np.random.default_rng(2).normal(size=12)
    means = values[np.random.default_rng(3).integers(0, 12, (200_000, 12))].mean(axis=1)
    expected = stats.t.interval(0.95, 11, values.mean(), values.std(ddof=1) / np.sqrt(12))
    assert resampling.expanded(means, 12) == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize("name", STATISTICS)
def test_exact_p_counts_every_order(name):
    rng = np.random.default_rng(1)
    proxy, target = rng.normal(size=(2, 5))
    statistic = STATISTICS[name]
    null = [float(statistic(proxy, target[list(order)])) for order in itertools.permutations(range(5))]
    expected = np.mean(np.abs(null) >= abs(float(statistic(proxy, target))) - 1e-12)
    assert resampling.permutation_p(statistic, proxy, target, rng) == pytest.approx(expected)


def test_exact_p_of_tau_is_scipys():
    proxy, target = np.random.default_rng(4).normal(size=(2, 8))
    expected = stats.kendalltau(proxy, target, method="exact").pvalue
    assert resampling.permutation_p(kendall, proxy, target, np.random.default_rng(0)) == pytest.approx(expected)


def test_sampled_p_is_near_the_exact_one_and_never_0(pair):
    proxy, target = pair
    expected = stats.kendalltau(proxy, target, method="exact").pvalue
    ours = resampling.permutation_p(kendall, proxy, target, np.random.default_rng(0))
    assert ours == pytest.approx(expected, abs=0.01)
    assert resampling.permutation_p(kendall, target, target, np.random.default_rng(0)) > 0


def test_a_constant_resample_is_left_out_and_too_many_mean_no_interval():
    boot = np.r_[np.full(4, np.nan), np.linspace(0, 1, 96)]
    assert resampling.summary(boot) == pytest.approx((0.025, 0.975))
    assert np.isnan(resampling.summary(np.r_[np.full(6, np.nan), np.linspace(0, 1, 94)])).all()
    three = np.array([1.0, 2.0, 3.0])
    draws = np.random.default_rng(0).integers(0, 3, (1000, 3))
    for name, statistic in STATISTICS.items():
        boot = statistic(three[draws], three[draws])
        assert np.isnan(resampling.interval(name, 1.0, boot, resampling.jackknife(statistic, three, three))).all()


@pytest.mark.parametrize("n", [4, 5, 12])
def test_perfect_order_gives_no_interval_of_rank_statistics(n):
    proxy = np.arange(float(n))
    draws = np.random.default_rng(0).integers(0, n, (2000, n))
    for name in ("spearman", "kendall", "weighted_tau"):
        boot = STATISTICS[name](proxy[draws], proxy[draws])
        left_out = resampling.jackknife(STATISTICS[name], proxy, proxy)
        assert np.isnan(resampling.interval(name, 1.0, boot, left_out)).all()


def test_an_interval_holds_its_own_estimate():
    boot = np.linspace(0.5, 0.9, 100)
    assert resampling.summary(boot, value=0.95)[1] == 0.95
    assert resampling.summary(boot, value=0.4)[0] == 0.4
    assert resampling.summary(boot, value=0.7) == resampling.percentile(boot)
    assert resampling.summary(boot) == resampling.percentile(boot)
