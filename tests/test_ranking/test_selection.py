import numpy as np
import pytest

from mmbnft.ranking.selection import shortlists


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
