import numpy as np
import pytest
from scipy import stats

from mmbnft.ranking.regret import regret_intervals
from mmbnft.ranking.shortlists import shortlists


def by_hand(proxy, target, checkpoints, k):
    """Walk down the proxy's order and stop after k different checkpoints."""
    if len(set(checkpoints)) <= k:
        return [np.nan] * 3
    chosen, gains = [], []
    for i in sorted(range(len(proxy)), key=lambda i: -proxy[i]):
        if checkpoints[i] not in chosen and len(chosen) == k:
            break
        chosen.append(checkpoints[i])
        chosen = list(dict.fromkeys(chosen))
        gains.append(target[i])
    return [max(target) - max(gains), float(max(gains) == max(target)), max(gains) / max(target)]


def test_shortlists_are_what_walking_down_the_order_gives():
    rng = np.random.default_rng(0)
    proxy, target = rng.normal(size=7), 50 + rng.normal(size=7)
    draws = rng.integers(0, 7, (200, 7))
    draws[0] = [1, 1, 1, 1, 1, 4, 4]
    found = shortlists(proxy[draws], target[draws], draws, (1, 3, 5), rng)
    for i, k in enumerate((1, 3, 5)):
        expected = [by_hand(proxy[d], target[d], d.tolist(), k) for d in draws]
        np.testing.assert_allclose(np.array([figure[i] for figure in found]).T, expected)
    assert np.isnan(found[0][1, 0])


def test_ties_are_broken_at_random_and_not_by_position():
    rows = np.arange(4)[None].repeat(20_000, axis=0)
    target = np.broadcast_to([50.0, 60.0, 70.0, 80.0], rows.shape)
    regret, recall, _ = shortlists(np.zeros(rows.shape), target, rows, (1, 3), np.random.default_rng(0))
    assert regret.mean(axis=1) == pytest.approx([15, 2.5], abs=0.3)
    assert recall.mean(axis=1) == pytest.approx([0.25, 0.75], abs=0.02)


def test_expected_regret_of_a_random_pick_is_that_of_normal_order_statistics():
    # With a proxy that says nothing the expected regret of one pick is the expected maximum of n normal values.
    n, draws = 12, 4000
    values = np.linspace(-1, 1, n)
    target = 70 + 5 * values / values.std(ddof=1)
    (low, high), *_ = regret_intervals(np.zeros(n), target, (1, 3), np.random.default_rng(0), draws)
    expected_maximum = np.random.default_rng(1).normal(size=(200_000, n)).max(axis=1).mean()
    quantiles = 5 * np.sqrt((n - 1) / stats.chi2.ppf([0.975, 0.025], n - 1)) * expected_maximum
    assert (low, high) == pytest.approx(quantiles, rel=0.06)


def test_regret_has_no_interval_where_nothing_can_be_said():
    rng = np.random.default_rng(0)
    for proxy, target in (([1.0, 2, 3, 4], [1.0, 2, 3, 4]), ([1.0, 2, 3, 4, 5, 6], [7.0] * 6)):
        assert np.isnan(regret_intervals(np.array(proxy), np.array(target), (1, 3), rng, 100)).all()
    five = np.arange(5.0)
    spans = regret_intervals(five, five, (1, 5), rng, 100)
    assert np.isfinite(spans[0]).all()
    assert np.isnan(spans[1]).all()


def test_a_better_proxy_has_less_expected_regret():
    rng = np.random.default_rng(0)
    target = rng.normal(size=12)
    good = regret_intervals(target + 0.1 * rng.normal(size=12), target, (1,), rng, 1000)[0]
    bad = regret_intervals(rng.permutation(target), target, (1,), rng, 1000)[0]
    assert good[1] < bad[1]
