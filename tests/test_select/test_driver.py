"""Whole selections on runs with known results: budget, regret, failures, kills, and that test is seen once."""

import json

import numpy as np
import pytest
from fake_runs import FakeRun, FakeRuns, HereExecutor

from mmbnft.result_files import read_results
from mmbnft.results import Result
from mmbnft.select.budget import Budget, Spent
from mmbnft.select.driver import Selection, proxy_seconds
from mmbnft.select.page import content, page, sentences
from mmbnft.select.past import Table
from mmbnft.select.past_tables import Known
from mmbnft.select.race import Rules
from mmbnft.utils.errors import UserError

TRUTH = np.array([80.0, 84.0, 79.0, 83.0, 78.0, 81.0, 70.0])


def select(out, budget="40%", executor=None, runs=None, regret=0.5, batch=1, known=None):
    lines = []
    runs = runs or FakeRuns(TRUTH)
    executor = executor or HereExecutor()
    rules = Rules(regret, runs.shares)
    selection = Selection(
        runs, rules, Budget.parse(budget), known or Known(), out, executor, batch=batch, say=lines.append
    )
    found = selection.run()
    return found, lines, executor


def test_the_best_is_found_within_the_budget_and_test_is_seen_once(tmp_path):
    found, lines, executor = select(tmp_path)
    assert found.runs.checkpoints[found.verdict.pick] in ("c1", "c3")
    assert found.spent.whole <= 0.4 * len(TRUTH)
    on_test = [result for result in read_results(tmp_path / "results") if result.evaluated_on == "test"]
    assert [result.checkpoint for result in on_test] == [found.runs.checkpoints[found.verdict.pick]]
    assert executor.executed[-1].evaluated_on == "test"
    assert found.final.value == TRUTH[found.verdict.pick]
    # One line for each run, and the last says what is believed.
    assert sum(": top1" in line for line in lines) == len(executor.executed)
    assert found.reason in (
        "the budget is spent",
        f"the expected regret of {found.verdict.regret:.2f} points is below --regret 0.5",
    )


@pytest.mark.parametrize(("budget", "whole", "number"), [("20%", 1.4, 99), ("9runs", 99, 9), ("150s", 1.5, 99)])
def test_no_budget_is_exceeded(tmp_path, budget, whole, number):
    found, _, _ = select(tmp_path, budget, regret=1e-6)
    assert found.reason == "the budget is spent"
    assert found.spent.whole <= whole + 1e-9
    assert len(found.spent.trainings) <= number


def test_with_all_the_money_it_stops_when_little_can_be_lost(tmp_path):
    found, _, _ = select(tmp_path, "1000%")
    assert "is below --regret 0.5" in found.reason
    assert found.spent.whole < len(TRUTH)
    assert TRUTH.max() - TRUTH[found.verdict.pick] <= 1.0


@pytest.mark.parametrize("until", [3, 9, 14])
def test_a_killed_selection_continues_to_the_same_end_without_running_anything_twice(tmp_path, until):
    straight, _, whole = select(tmp_path / "straight")
    broken = HereExecutor(until)
    with pytest.raises(KeyboardInterrupt):
        select(tmp_path / "killed", executor=broken)
    again, _, rest = select(tmp_path / "killed")
    assert [job.key for job in broken.executed + rest.executed] == [job.key for job in whole.executed]
    assert again.trainings == straight.trainings
    assert again.reason == straight.reason
    _, _, nothing = select(tmp_path / "killed")
    assert nothing.executed == []


def test_who_cannot_be_trained_leaves_with_the_reason_and_is_never_picked(tmp_path):
    runs = FakeRuns(TRUTH, broken=(1,))
    found, lines, _ = select(tmp_path, runs=runs)
    assert "c1 drops out: failed: it broke" in lines
    assert found.verdict.best[1] == 0
    assert found.runs.checkpoints[found.verdict.pick] == "c3"
    with pytest.raises(UserError, match="no checkpoint could be trained; the last: failed: it broke"):
        select(tmp_path / "all", runs=FakeRuns(TRUTH, broken=tuple(range(7))))


def test_several_runs_at_a_time_are_of_different_checkpoints_and_fit_the_budget(tmp_path):
    found, _, _ = select(tmp_path, "30%", batch=3)
    assert found.spent.whole <= 0.3 * len(TRUTH)


def test_the_answer_names_pick_tier_cost_and_the_command_for_one_more_run(tmp_path):
    found, _, _ = select(tmp_path, "30%")
    told = sentences(found, ["mmbnft", "select", "--task", "x"], "45%", 0.5)
    pick = found.runs.checkpoints[found.verdict.pick]
    assert told[0].startswith(f"Take {pick}: P(best) 0.")
    assert f"{pick} on test, evaluated once, after all choices on val: top1" in " ".join(told)
    assert "mmbnft select --task x --budget 45%" in " ".join(told)
    assert any("% of about" in sentence for sentence in told)
    html = page(found, told, 0.5)
    assert html.count("<tr>") == len(TRUTH) + 1
    assert "<svg" in html
    assert "race_1" in html
    told_json = json.loads(content(found, told))
    assert told_json["pick"] == pick
    assert sum(entry["p_best"] for entry in told_json["checkpoints"].values()) == pytest.approx(1)


def test_the_whole_training_of_the_pick_is_handed_on_so_that_its_search_is_not_repeated(tmp_path):
    runs = FakeRuns(TRUTH)
    found, _, _ = select(tmp_path, "1000%", runs=runs)
    (pick, whole) = runs.asked[-1]
    lengths = [share for number, share, _, _ in found.trainings if number == pick]
    assert (whole is not None) == (1.0 in lengths)


@pytest.mark.parametrize("text", ["", "2", "2 days", "-1h", "0%", "1.5runs", "runs", "h"])
def test_a_budget_that_is_none_is_refused(text):
    with pytest.raises(UserError, match="--budget must be"):
        Budget.parse(text)


def test_budgets_count_what_they_name():
    spent = Spent(30.0, [(0.5, 50.0), (1.0, 100.0)])
    assert spent.whole_seconds == 100
    assert spent.whole == pytest.approx(1.8)
    assert Budget.parse("90min") == Budget(5400, "seconds")
    assert Budget.parse("1runs").left(spent, 4) == (np.inf, -1)
    assert Budget.parse("50%").left(spent, 4)[0] == pytest.approx(0.2)
    assert Budget.parse("0.1h").left(spent, 4)[0] == pytest.approx(1.8)
    assert Budget.parse("50%").extended(spent, 1.0, 4) == "70%"
    assert Budget.parse("9runs").extended(spent, 1.0, 4) == "3runs"


def past_table(protocols, seed=0, tie=1.0):
    """Eight tasks of the same checkpoints, whose second protocol goes with the first as `tie` says."""
    rng = np.random.default_rng(seed)
    target = rng.standard_normal((8, 7))
    other = tie * target + np.sqrt(1 - tie**2) * rng.standard_normal((8, 7))
    values = np.stack([target, other], axis=2) * 3 + 70
    return Table(tuple(f"c{n}" for n in range(7)), tuple(f"t{n}" for n in range(8)), protocols, values)


@pytest.mark.parametrize(
    ("tie", "budget", "runs_bn"), [(0.98, "120%", True), (0.0, "120%", False), (0.98, "40%", False)]
)
def test_bn_is_run_where_the_past_says_that_it_pays_and_the_budget_allows_it(tmp_path, tie, budget, runs_bn):
    runs = FakeRuns(TRUTH)
    runs.rungs = {"bn": tuple(FakeRun(f"c{n}", "bn", float(value)) for n, value in enumerate(TRUTH))}
    known = Known([past_table(("finetune", "bn"), tie=tie)])
    found, lines, executor = select(tmp_path, budget, runs=runs, known=known)
    assert any(job.protocol == "bn" for job in executor.executed) is runs_bn
    assert any(line.startswith("bn is run for all" if runs_bn else "bn is skipped") for line in lines)
    assert any(one.startswith("bn is") for one in sentences(found, [], "", 0.5))


def test_shared_work_of_proxies_counts_once_for_each_checkpoint():
    results = [
        Result(
            name, "t", protocol, "r", 0, 0, "k" * 40, "ok", 1.0, "top1", cost={"seconds": 12.0, "shared_seconds": 10.0}
        )
        for name in "ab"
        for protocol in ("knn", "logme", "linear")
    ]
    assert proxy_seconds(results) == pytest.approx(2 * (10 + 3 * 2))
