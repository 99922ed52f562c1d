import math

import numpy as np
from scipy.stats import spearmanr

from mmbnft.analysis.dynamics import epochs_to, rank_correlation


def test_epochs_to_a_level_count_over_phases():
    curve = [dict(phase=0, epoch=1, val=40.0), dict(phase=1, epoch=1), dict(phase=1, epoch=2, val=61.0)]
    assert epochs_to(curve, 60) == 3
    assert epochs_to(curve, 40) == 1
    assert epochs_to(curve, 70) is None


def test_rank_correlation_is_scipys_with_an_interval_around_it():
    rng = np.random.default_rng(0)
    a = rng.normal(size=30)
    b = a + rng.normal(size=30)
    found = rank_correlation(a, b)
    assert math.isclose(found["rho"], spearmanr(a, b).statistic)
    assert found["low"] < found["rho"] < found["high"] < 1
    assert math.isnan(rank_correlation(a[:3], b[:3])["rho"])
    four = rank_correlation(np.array([1.0, 2, 3, np.nan, 4]), np.array([1.0, 3, 2, 0, 4]))
    assert (four["n"], round(four["rho"], 9)) == (4, 0.8)
