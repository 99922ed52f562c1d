"""Reliability of repeats, against published figures and simulated variances, and the ceiling it sets."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mmbnft.ranking.correlations import DETAILS
from mmbnft.ranking.reliability import ceiling, intraclass_correlation, reliability_table
from mmbnft.ranking.table import score_table
from mmbnft.ranking.table_checks import table_findings

# Six persons rated by four judges: the example of Shrout and Fleiss, Psychological Bulletin 86 (1979), table 2.
JUDGES = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)


@pytest.mark.parametrize(
    ("paired", "one_run", "mean"),
    # Estimates of the article's table 4, intervals as the packages psych and irr of R print them for it.
    [(False, (0.17, -0.13, 0.72), (0.44, -0.88, 0.91)), (True, (0.71, 0.34, 0.95), (0.91, 0.68, 0.99))],
)
def test_the_example_of_shrout_and_fleiss(paired, one_run, mean):
    found = intraclass_correlation(JUDGES, paired)
    assert found == pytest.approx((*one_run, *mean), abs=0.006)


def variance_components(rows):
    """One-way estimate for unequal numbers of repeats, by the expected sums of squares of SciPy's F statistic."""
    groups = [row[np.isfinite(row)] for row in rows]
    ratio = stats.f_oneway(*groups).statistic
    sizes = np.array([len(group) for group in groups])
    k = (sizes.sum() - (sizes**2).sum() / sizes.sum()) / (len(groups) - 1)
    return (ratio - 1) / (ratio + k - 1), 1 - 1 / ratio


def test_unequal_numbers_of_repeats_and_missing_checkpoints():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(7, 1)) * 2 + rng.normal(size=(7, 4))
    values[0, 2:] = values[1, 3:] = values[2, 1:] = np.nan
    expected = variance_components(values)
    found = intraclass_correlation(np.vstack([values, np.full((1, 4), np.nan)]), paired=True)
    assert (found.one_run, found.mean) == pytest.approx(expected)


def test_what_a_seed_shares_over_checkpoints_moves_no_rank_and_does_not_count():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(8, 1)) * 3 + rng.normal(size=(8, 3))
    shifted = values + np.array([0.0, 40.0, -25.0])
    assert intraclass_correlation(shifted, True) == pytest.approx(intraclass_correlation(values, True))
    assert intraclass_correlation(shifted, False).one_run < 0.1


@pytest.mark.parametrize(
    "values",
    [np.ones((5, 1)) * np.arange(5)[:, None], np.ones((5, 3)), np.arange(6.0).reshape(2, 3), np.full((4, 2), np.nan)],
    ids=["one run", "constant", "two checkpoints", "nothing"],
)
def test_where_there_is_no_reliability_none_is_claimed(values):
    assert all(math.isnan(figure) for figure in intraclass_correlation(values, True))


def test_a_score_that_never_changes_is_perfectly_reliable_without_an_interval():
    found = intraclass_correlation(np.repeat(np.arange(4.0)[:, None], 3, axis=1) + 70.1, True)
    assert (found.one_run, found.mean) == (1.0, 1.0)
    assert math.isnan(found.mean_low)


def test_the_interval_covers_the_true_reliability():
    rng, truth, hits = np.random.default_rng(3), 0.6, 0
    for _ in range(400):
        values = rng.normal(size=(12, 1)) * math.sqrt(truth) + rng.normal(size=(12, 3)) * math.sqrt(1 - truth)
        found = intraclass_correlation(values, False)
        hits += found.one_run_low <= truth <= found.one_run_high
    assert 0.93 <= hits / 400 <= 0.975


def test_the_ceiling_is_what_perfectly_related_columns_reach_in_simulation():
    rng, n = np.random.default_rng(4), 400_000
    truth = rng.normal(size=n)
    proxy, target = (truth + rng.normal(size=n) * math.sqrt(1 / share - 1) for share in (0.9, 0.5))
    r, tau = ceiling(0.9, 0.5)
    assert np.corrcoef(proxy, target)[0, 1] == pytest.approx(r, abs=0.005)
    assert stats.kendalltau(proxy[:20_000], target[:20_000]).statistic == pytest.approx(tau, abs=0.01)
    assert ceiling(-0.2, 0.5) == (0.0, 0.0)
    assert all(math.isnan(figure) for figure in ceiling(0.9, math.nan))


def test_the_table_has_every_protocol_with_repeats_and_the_mean_over_tasks(simulated):
    table = simulated(tasks=2, repeats=3)
    once = table[(table["protocol"] != "bad") | (table["seed"] == 0)]
    scores = score_table(once)
    rows = reliability_table(scores).set_index(["task", "protocol"])
    assert [task for task, _ in rows.index] == ["task0"] * 2 + ["task1"] * 2 + ["all tasks (mean)"] * 2
    good, target = rows.loc[("task0", "good")], rows.loc[("task0", "finetune")]
    assert (good["n"], good["repeats"]) == (12, 3)
    assert good["ceiling_pearson"] == pytest.approx(math.sqrt(good["mean"] * target["mean"]))
    assert target["ceiling_pearson"] == pytest.approx(math.sqrt(target["mean"]))
    both = [rows.loc[(task, "good"), "ceiling_kendall"] for task in ("task0", "task1")]
    assert rows.loc[("all tasks (mean)", "good"), "ceiling_kendall"] == pytest.approx(np.mean(both))
    assert reliability_table(score_table(table[table["seed"] == 0])).empty


def test_unpaired_seeds_are_judged_one_way(simulated):
    table = simulated(tasks=1, repeats=2)
    table.loc[table["checkpoint"] == "ckpt00", "seed"] += 7
    scores = score_table(table)
    task = scores.tasks[0]
    assert "finetune" not in task.aligned
    expected = intraclass_correlation(task.repeats["finetune"], False).mean
    rows = reliability_table(scores)
    found = rows[(rows["task"] == "task0") & (rows["protocol"] == "finetune")]["mean"]
    pd.testing.assert_series_equal(found, pd.Series([expected]), check_names=False, check_index=False)


def test_a_target_whose_seeds_disagree_is_a_finding_with_the_tau_to_be_expected(simulated):
    table = simulated(tasks=2, repeats=2)
    noisy = (table["task"] == "task1") & (table["protocol"] == "finetune")
    table.loc[noisy, "value"] = 60 + np.random.default_rng(1).normal(size=noisy.sum())
    scores = score_table(table)
    rows = reliability_table(scores).set_index(["task", "protocol"])
    assert rows.loc[("task0", "finetune"), "mean"] > 0.8 > rows.loc[("task1", "finetune"), "mean"]
    (found,) = [finding for finding in table_findings(scores, pd.DataFrame(columns=DETAILS)) if finding.code == "MB309"]
    top = rows.loc[("task1", "finetune"), "ceiling_kendall"]
    assert f"tau up to {top:.2f})" in found.sentence
    assert "task0" not in found.sentence


def test_an_estimate_below_zero_is_given_as_zero(simulated):
    table = simulated(tasks=1, repeats=2)
    table.loc[table["protocol"] == "finetune", "value"] = np.tile([60.0, 61.0], 12) * np.repeat([1, 1.001], 12)
    scores = score_table(table.assign(seed=lambda t: t["seed"] + (t["checkpoint"] == "ckpt00")))
    assert intraclass_correlation(scores.tasks[0].repeats["finetune"], False).mean < 0
    row = reliability_table(scores).set_index(["task", "protocol"]).loc[("task0", "finetune")]
    assert (row["mean"], row["one_run"], row["ceiling_kendall"]) == (0, 0, 0)
