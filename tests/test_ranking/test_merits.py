"""Win rate, regret and stability against published implementations and against what was put into the data."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mmbnft.ranking import merits
from mmbnft.ranking.tiers import critical_difference

RNG = np.random.default_rng(5)
EFFECTS = 5 * RNG.normal(size=(7, 1)) + 2 * RNG.normal(size=6)  # of tasks and of checkpoints
VALUES = np.round(60 + EFFECTS + 3 * RNG.normal(size=(7, 6)), 0)  # rounded: it has ties


def long_table(values):
    rows = [(f"t{t}", f"c{i}", 100 - v) for t, row in enumerate(values) for i, v in enumerate(row) if np.isfinite(v)]
    return pd.DataFrame(rows, columns=["task", "method", "error"])


def test_win_rates_are_bencheval_s():
    reference = pytest.importorskip("bencheval.winrate_utils", reason="bencheval is not installed")
    found = reference.compute_winrate_matrix(long_table(VALUES)).mean(axis=1)
    ours = merits.win_shares(VALUES).mean(axis=0)
    assert ours == pytest.approx(found[[f"c{i}" for i in range(6)]].to_numpy(), abs=1e-6)


def test_win_rates_count_only_opponents_that_are_there():
    values = np.array([[3.0, 2.0, np.nan, 1.0], [np.nan, np.nan, 5.0, np.nan]])
    shares = merits.win_shares(values)
    assert shares[0] == pytest.approx([1, 0.5, np.nan, 0], nan_ok=True)
    assert np.isnan(shares[1]).all()


def test_regret_is_the_distance_to_each_tasks_best():
    frame = long_table(VALUES)
    best = frame.groupby("task")["error"].transform("min")
    expected = (frame["error"] - best).groupby(frame["method"]).mean()
    assert merits.regrets(VALUES).mean(axis=0) == pytest.approx(expected.to_numpy())
    assert np.isnan(merits.regrets(np.full((1, 3), np.nan))).all()


def test_means_over_tasks_have_intervals_that_cover_and_ignore_how_hard_tasks_are():
    rng, truth, covered, widths = np.random.default_rng(1), np.array([0.0, 1.0, 2.0, 3.0]), [], []
    for _ in range(60):
        values = truth + 20 * rng.normal(size=(9, 1)) + rng.normal(size=(9, 4))
        means, low, high = merits.over_tasks(merits.centred(values), 400, rng)
        offset = means.mean() - truth.mean()
        covered.append((low <= truth + offset) & (truth + offset <= high))
        widths.append(high - low)
    assert 0.88 < np.mean(covered) <= 1
    assert np.mean(widths) < 3  # tasks differ by 20 points, which is no uncertainty of a checkpoint


def test_two_tasks_give_no_interval():
    _, low, high = merits.over_tasks(VALUES[:2], 200, np.random.default_rng(0))
    assert np.isnan([low, high]).all()


def test_agreement_is_the_mean_spearman_correlation_and_reliability_standardised_alpha():
    found = merits.stability([VALUES], 200, np.random.default_rng(0))
    pairs = stats.spearmanr(VALUES.T).statistic[np.triu_indices(7, 1)]
    assert found.agreement[0] == pytest.approx(pairs.mean())
    ranks = stats.rankdata(VALUES, axis=1)
    unit = (ranks - ranks.mean(axis=1, keepdims=True)) / ranks.std(axis=1, keepdims=True)
    total = unit.sum(axis=0)
    alpha = 7 / 6 * (1 - 7 * 1.0 / total.var())  # Cronbach's alpha of standardised ranks
    assert found.reliability[0] == pytest.approx(alpha)


def test_as_many_tasks_as_needed_reach_the_reliability_asked_for():
    rng, n = np.random.default_rng(3), 400
    truth, noise = rng.normal(size=n), rng.normal(size=(200, n))
    found = merits.stability([truth + 1.5 * noise[:12]], 100, rng)
    needed = int(found.needed[0])
    halves = [(truth + 1.5 * noise[i : i + needed]).mean(axis=0) for i in (12, 12 + needed)]
    assert np.corrcoef(*halves)[0, 1] == pytest.approx(merits.SETTLED, abs=0.03)
    assert found.needed[1] <= found.needed[0] <= found.needed[2]


@pytest.mark.parametrize(("agreement", "needed"), [(-0.1, np.inf), (0.0, np.inf), (0.5, 9), (0.9, 1), (1.0, 1)])
def test_rows_needed(agreement, needed):
    assert merits.rows_needed(agreement) == needed


def test_nothing_is_said_of_one_task_or_of_equal_checkpoints():
    assert merits.stability([VALUES[:1]], 100, RNG) is None
    assert merits.stability([np.ones((3, 4))], 100, RNG) is None


def test_tiers_over_tasks_use_nemenyis_test_as_scikit_posthocs_has_it():
    posthocs = pytest.importorskip("scikit_posthocs", reason="scikit-posthocs is not installed")
    p_values = posthocs.posthoc_nemenyi_friedman(VALUES).to_numpy()
    found = critical_difference(VALUES)
    gaps = np.abs(found.mean_ranks[:, None] - found.mean_ranks[None, :])
    off = ~np.eye(6, dtype=bool)
    assert ((gaps >= found.difference) == (p_values <= 0.05))[off].all()
