import numpy as np
import pandas as pd
import pytest

from mmbnft.ranking.table import score_table
from mmbnft.utils.errors import UserError


def long(rows, columns=("checkpoint", "task", "protocol", "value")):
    return pd.DataFrame(rows, columns=list(columns))


@pytest.fixture
def table():
    values = {"finetune": [70, 80, 90, 85], "linear": [50, 60, 75, 65]}
    return long([(c, "dtd", p, v) for p, column in values.items() for c, v in zip("abcd", column, strict=True)])


def test_values_land_where_they_belong_whatever_the_order_of_rows(table):
    scores = score_table(table.sample(frac=1, random_state=0))
    (task,) = scores.tasks
    assert task.checkpoints == ("a", "b", "c", "d")
    np.testing.assert_array_equal(task.means("linear"), [50, 60, 75, 65])
    assert scores.proxies == ("linear",)
    assert scores.findings == ()


def test_fractions_become_percent(table):
    scores = score_table(table.assign(value=table["value"] / 100), metric_scale="fraction")
    np.testing.assert_allclose(scores.tasks[0].means("finetune"), [70, 80, 90, 85])


def test_a_score_without_a_scale_stays_as_it_is(table):
    logme = long([(c, "dtd", "logme", v) for c, v in zip("abcd", (-0.3, 0.2, 0.9, 1.4), strict=True)])
    scores = score_table(pd.concat([table, logme]))
    assert scores.bounded == {"finetune", "linear"}
    np.testing.assert_allclose(scores.tasks[0].means("logme"), [-0.3, 0.2, 0.9, 1.4])


def test_missing_cell_is_a_named_gap_with_its_true_n(table):
    scores = score_table(table[~((table["checkpoint"] == "b") & (table["protocol"] == "linear"))])
    (finding,) = scores.findings
    assert str(finding) == "MB201 linear is missing for 1 of 4 checkpoint-task pairs (dtd: b)"
    assert len(scores.tasks[0].complete(["linear", "finetune"])) == 3


def test_nan_is_a_named_gap(table):
    table.loc[5, "value"] = np.nan
    sentences = [finding.sentence for finding in score_table(table).findings]
    assert "dtd: linear of b is not a number and counts as missing" in sentences


def test_repeats_are_told_apart_and_averaged(table):
    again = table.assign(value=table["value"] + 2)
    scores = score_table(pd.concat([table.assign(seed=0), again.assign(seed=1)]))
    np.testing.assert_array_equal(scores.tasks[0].means("linear"), [51, 61, 76, 66])
    assert scores.tasks[0].aligned == {"linear", "finetune"}


def test_equal_repeats_tie_to_the_last_bit(table):
    rows = [(c, "dtd", p, v, s) for s, v in enumerate((80.1, 80.2, 80.3)) for c in "abc" for p in ("finetune",)]
    rows += [("d", "dtd", "finetune", 80.2, 0)]
    rows += [(c, "dtd", "linear", v, 0) for c, v in zip("abcd", (1.5, 2, 3, 4), strict=True)]
    means = score_table(long(rows, ("checkpoint", "task", "protocol", "value", "seed"))).tasks[0].means("finetune")
    assert len(set(means)) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="task"), "lacks the column task"),
        (lambda t: t.iloc[:0], "no rows"),
        (lambda t: pd.concat([t, t.iloc[:1]]), "2 rows share their coordinates, e.g. checkpoint a"),
        (lambda t: t.assign(value=t["value"].astype(object).where(t.index != 0, "high")), "'high' is not a finite"),
        (lambda t: t.assign(value=t["value"].astype(float).where(t.index != 0, np.inf)), "'inf' is not a finite"),
        (lambda t: t[t["checkpoint"] < "b"], "no task has two checkpoints under one proxy"),
        (lambda t: t.assign(value=t["value"] + 50), "must lie in 0-100"),
        (lambda t: t[t["protocol"] == "finetune"], "has only the target"),
        (lambda t: t.assign(checkpoint=t["checkpoint"].where(t.index != 0)), "empty cell"),
    ],
)
def test_what_cannot_be_judged_is_refused_in_a_sentence(table, change, message):
    with pytest.raises(UserError, match=message) as caught:
        score_table(change(table))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "fine"}, "target 'fine' is not in the table; it has the protocols finetune, linear"),
        ({"proxies": ["bn"]}, "proxy 'bn' is not in the table"),
        ({"proxies": ["finetune"]}, "cannot be its own proxy"),
        ({"metric_scale": "permille"}, "auto, percent or fraction, got 'permille'"),
        ({"metric_scale": "fraction"}, "choose --metric-scale percent or auto"),
        ({"lower_is_better": ["loss"]}, "--lower-is-better 'loss' is not in the table"),
    ],
)
def test_wrong_options_are_refused_in_a_sentence(table, options, message):
    with pytest.raises(UserError, match=message):
        score_table(table, **options)


def test_one_task_too_small_is_ranked_but_not_judged(table):
    small = long([(c, "pets", p, v) for c, v in (("a", 60.0), ("b", 70.0)) for p in ("linear", "finetune")])
    assert score_table(pd.concat([table, small])).is_judged
    assert not score_table(small).is_judged


def test_what_repeats_and_files_say_of_spread_is_kept(table):
    told = score_table(table.assign(spread=0.5)).tasks[0]
    np.testing.assert_array_equal(told.spread("linear"), [0.5] * 4)
    again = pd.concat([table.assign(seed=0), table.assign(seed=1, value=table["value"] + 2)])
    np.testing.assert_allclose(score_table(again).tasks[0].spread("linear"), np.std([0, 2], ddof=1))
    assert np.isnan(score_table(table).tasks[0].spread("linear")).all()
