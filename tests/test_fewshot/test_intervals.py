import math

import numpy as np
import pytest
from scipy import stats

from mmbnft.fewshot import mean_accuracy, paired_difference
from mmbnft.utils.errors import UserError


def test_classical_interval_by_hand():
    # Population variance of 60, 70, 80, 90 is (225 + 25 + 25 + 225) / 4 = 125.
    mean = mean_accuracy(np.array([60.0, 70.0, 80.0, 90.0]))
    assert (mean.value, mean.episodes) == (75.0, 4)
    assert mean.half_width == pytest.approx(1.96 * math.sqrt(125) / 2, rel=1e-12)


def test_bootstrap_interval_agrees_with_the_t_interval_on_many_normal_episodes():
    accuracies = np.random.default_rng(0).normal(60, 8, 600)
    mean = mean_accuracy(accuracies)
    low, high = stats.t.interval(0.95, 599, accuracies.mean(), stats.sem(accuracies))
    assert (mean.low, mean.high) == (pytest.approx(low, abs=0.04), pytest.approx(high, abs=0.04))
    assert mean == mean_accuracy(accuracies)


def test_paired_difference_uses_that_episodes_are_the_same():
    random = np.random.default_rng(1)
    hardness = random.normal(60, 10, 200)
    first, second = hardness + random.normal(1, 0.5, 200), hardness
    difference = paired_difference(first, second)
    assert difference.value == pytest.approx(np.mean(first - second))
    assert difference.p_value == pytest.approx(stats.ttest_1samp(first - second, 0).pvalue)
    assert 0.8 < difference.low < difference.value < difference.high < 1.2
    reverse = paired_difference(second, first)
    assert reverse.low == pytest.approx(-difference.high, abs=0.02)
    assert reverse.high == pytest.approx(-difference.low, abs=0.02)


def test_equal_results_are_no_difference():
    same = paired_difference(np.array([50.0, 60.0]), np.array([50.0, 60.0]))
    assert (same.value, same.low, same.high, same.p_value) == (0, 0, 0, 1)


def test_results_on_different_numbers_of_episodes_do_not_compare():
    with pytest.raises(UserError, match="only results on the same episodes can be compared, got 3 and 2 episodes"):
        paired_difference(np.ones(3), np.ones(2))
