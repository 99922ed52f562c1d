import itertools

import numpy as np
import pytest
from scipy import stats

from mmbnft.ranking import comparison
from mmbnft.ranking.statistics import kendall, midranks, pearson


def with_correlations(r_a, r_b, r_ab, n):
    """Three samples that have exactly these correlations."""
    matrix = np.array([[1, r_ab, r_a], [r_ab, 1, r_b], [r_a, r_b, 1]])
    noise = np.random.default_rng(0).normal(size=(n, 3))
    white = np.linalg.qr(noise - noise.mean(axis=0))[0]
    return (white @ np.linalg.cholesky(matrix).T).T


def test_williams_against_a_worked_example():
    # Steiger (1980): r of .50 and .32 with the same variable, .65 with each other, n = 103; t(100) by its formula 7.
    a, b, target = with_correlations(0.5, 0.32, 0.65, 103)
    determinant = 1 - 0.25 - 0.1024 - 0.4225 + 2 * 0.5 * 0.32 * 0.65
    t = 0.18 * np.sqrt(102 * 1.65 / (2 * 102 / 100 * determinant + 0.41**2 * 0.35**3))
    assert t == pytest.approx(2.494, abs=0.05)
    assert comparison.williams_p(a, b, target) == pytest.approx(2 * stats.t.sf(t, 100))


def test_zou_against_a_published_example():
    # Zou (2007), overlapping correlations: r .396 and .179, .088 between, n = 66: interval -0.093 to 0.517.
    a, b, target = with_correlations(0.396, 0.179, 0.088, 66)
    assert comparison.zou_interval(a, b, target) == pytest.approx((-0.093, 0.517), abs=0.001)


def test_zou_turns_round_with_the_proxies():
    a, b, target = with_correlations(0.8, 0.3, 0.4, 12)
    low, high = comparison.zou_interval(a, b, target)
    assert comparison.zou_interval(b, a, target) == pytest.approx((-high, -low))


def test_equal_proxies_have_p_1():
    a, _, target = with_correlations(0.8, 0.3, 0.4, 12)
    assert comparison.williams_p(a, a, target) == 1
    swap = comparison.swaps(12, np.random.default_rng(0), 100)
    assert comparison.swap_p(comparison.swapped_differences(kendall, -midranks(a), -midranks(a), target, swap)) == 1


def test_swaps_are_all_and_complementary():
    swap = comparison.swaps(4, np.random.default_rng(0), 0)
    assert {tuple(row) for row in swap.tolist()} == set(itertools.product([False, True], repeat=4))
    assert not swap[0].any()
    np.testing.assert_array_equal(swap[:8], ~swap[8:])


def test_swap_p_by_brute_force():
    rng = np.random.default_rng(2)
    a, b, target = -midranks(rng.normal(size=(3, 6)))
    null = []
    for pattern in itertools.product([False, True], repeat=6):
        x, y = np.where(pattern, b, a), np.where(pattern, a, b)
        null.append(float(kendall(x, target) - kendall(y, target)))
    observed = float(kendall(a, target) - kendall(b, target))
    differences = comparison.swapped_differences(kendall, a, b, target, comparison.swaps(6, rng, 0))
    assert differences[0] == pytest.approx(observed)
    assert sorted(differences) == pytest.approx(sorted(null))
    assert comparison.swap_p(differences) == np.mean(np.abs(null) >= abs(observed) - 1e-12)


def test_a_clearly_better_proxy_is_found_and_named():
    rng = np.random.default_rng(0)
    target = np.arange(12.0)
    a = -midranks(target + rng.normal(size=12))
    b = -midranks(np.array([7.0, 2, 11, 4, 9, 1, 12, 6, 3, 10, 5, 8]))
    swap = comparison.swaps(12, rng, 0)
    assert comparison.swap_p(comparison.swapped_differences(kendall, a, b, target, swap)) < 0.01
    assert comparison.williams_p(a, b, target) < 0.01


def test_bootstrap_p_is_twice_the_smaller_side():
    assert comparison.bootstrap_p(np.r_[np.full(10, -1.0), np.full(989, 1.0)]) == pytest.approx(2 * 11 / 1000)
    assert comparison.bootstrap_p(np.zeros(50)) == 1
    assert np.isnan(comparison.bootstrap_p(np.full(3, np.nan)))


def test_holm_by_hand():
    assert comparison.holm([0.01, np.nan, 0.04, 0.03]) == pytest.approx([0.03, np.nan, 0.06, 0.06], nan_ok=True)
    assert comparison.holm([0.9, 0.8]) == [1.0, 1.0]


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ((0.3, 0.1, 0.5, 0.01), "a better"),
        ((-0.3, -0.5, -0.1, 0.01), "b better"),
        ((0.3, 0.1, 0.5, 0.06), "not separable"),
        ((0.3, -0.1, 0.5, 0.01), "not separable"),
        ((0.3, np.nan, np.nan, 0.01), "no verdict"),
        ((0.0, np.nan, np.nan, 1.0), "not separable"),
        ((np.nan, 0.1, 0.5, 0.01), "no verdict"),
    ],
)
def test_verdict_needs_p_and_interval(figures, expected):
    assert comparison.verdict(*figures) == expected


def test_too_few_give_nothing():
    a, b, target = np.eye(3)
    assert np.isnan(comparison.williams_p(a, b, target))
    assert np.isnan(comparison.zou_interval(a, b, target)).all()
    assert np.isnan(float(pearson(np.ones(3), target)))
