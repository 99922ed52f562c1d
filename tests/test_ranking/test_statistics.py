import numpy as np
import pytest
from scipy import stats

from mmbnft.ranking.statistics import STATISTICS, correlations, kendall, midranks, pearson, spearman, weighted_tau

ORACLES = {
    "pearson": lambda a, b: stats.pearsonr(a, b).statistic,
    "spearman": lambda a, b: stats.spearmanr(a, b).statistic,
    "kendall": lambda a, b: stats.kendalltau(a, b).statistic,
    "weighted_tau": lambda a, b: stats.weightedtau(a, b).statistic,
}


@pytest.mark.parametrize("name", STATISTICS)
@pytest.mark.parametrize("levels", [3, 8, None])
def test_agrees_with_scipy_row_by_row_with_and_without_ties(name, levels):
    rng = np.random.default_rng(1)
    for n in (3, 5, 12, 15):
        a, b = rng.normal(size=(2, 60, n)) if levels is None else rng.integers(0, levels, (2, 60, n)).astype(float)
        ours = STATISTICS[name](a, b)
        for row in range(60):
            if np.ptp(a[row]) == 0 or np.ptp(b[row]) == 0:
                assert np.isnan(ours[row])
            else:
                assert ours[row] == pytest.approx(ORACLES[name](a[row], b[row]), abs=1e-12)


@pytest.mark.parametrize("name", STATISTICS)
def test_constant_side_is_undefined_even_when_it_only_varies_by_rounding(name):
    target = np.array([1.0, 2.0, 3.0])
    assert np.isnan(STATISTICS[name](np.full(3, 81.7), target))
    assert np.isnan(STATISTICS[name](target, np.zeros(3)))


def test_pearson_takes_a_mean_of_equal_repeats_for_constant():
    wobble = np.array([0.1 + 0.2, 0.3, 0.3])
    assert np.isnan(pearson(wobble, np.array([1.0, 2.0, 3.0])))


def test_by_hand():
    proxy, target = np.array([3.0, 2.0, 1.0]), np.array([2.0, 3.0, 1.0])
    assert kendall(proxy, target) == pytest.approx(1 / 3)
    assert spearman(proxy, target) == pytest.approx(0.5)
    # Pairs weigh 1.5, 1.333, 0.833; the first disagrees under either ranking: (3.667 - 2 * 1.5) / 3.667.
    assert weighted_tau(proxy, target) == pytest.approx((11 / 3 - 3) / (11 / 3))


def test_weighted_tau_punishes_disorder_at_the_top_more():
    target = np.arange(6.0)[::-1]
    top, bottom = np.array([4.0, 5, 3, 2, 1, 0]), np.array([5.0, 4, 3, 2, 0, 1])
    assert weighted_tau(top, target) < weighted_tau(bottom, target)
    assert kendall(top, target) == kendall(bottom, target)


def test_midranks_start_with_the_largest():
    np.testing.assert_allclose(midranks(np.array([10.0, 30.0, 20.0, 20.0])), [4, 1, 2.5, 2.5])


def test_large_inputs_are_cut_into_pieces_without_changing_a_figure():
    a, b = np.random.default_rng(0).normal(size=(2, 30, 700))
    assert kendall(a, b)[29] == pytest.approx(stats.kendalltau(a[29], b[29]).statistic)


@pytest.mark.parametrize("n", [4, 127, 128, 300])
def test_all_at_once_are_scipys_in_their_order_whatever_integers_hold_the_counts(n):
    a, b = np.random.default_rng(n).integers(0, 2 * n, (2, n)).astype(float)
    assert correlations(a, b) == pytest.approx([ORACLES[name](a, b) for name in STATISTICS], abs=1e-12)
    assert correlations(b, b) == pytest.approx(np.ones(4))  # the largest counts there are
