import math

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from mmbnft.analysis.shift import dead_channels, movement, symmetric_kl


def test_movement_by_hand():
    found = movement(np.array([3.0, -4.0, 0.0]), np.array([3.0, 1.0, 2.0]))
    assert found == {"absolute": 7 / 3, "relative": pytest.approx(math.sqrt(29) / 5), "flipped": 1}
    assert math.isnan(movement(np.zeros(2), np.ones(2))["relative"])


def test_channels_die_and_come_back():
    assert dead_channels(np.array([1.0, 0.0, 1e-4, 2.0]), np.array([1e-4, 0.5, -1e-4, -2.0])) == {
        "died": 1, "revived": 1
    }  # fmt: skip


def test_divergence_is_the_mean_of_torchs_two():
    rng = np.random.default_rng(0)
    (m1, m2), (v1, v2) = rng.normal(size=(2, 50)), rng.uniform(0.1, 4, (2, 50))
    a, b = (Normal(*(torch.tensor(x) for x in (m, np.sqrt(v + 1e-5)))) for m, v in ((m1, v1), (m2, v2)))
    expected = (kl_divergence(a, b) + kl_divergence(b, a)) / 2
    assert np.allclose(symmetric_kl(m1, v1, m2, v2), expected.numpy())
    assert symmetric_kl(m1, v1, m1, v1).max() == pytest.approx(0, abs=1e-15)
