"""What a report of 0.1.0 said wrongly: ties as wins, advice without evidence, silence about partial loads and leaks."""

import math

import pandas as pd
import pytest

from mmbnft.ranking import rank_results, rank_sources
from mmbnft.ranking.controls import Facts
from mmbnft.ranking.run_checks import run_findings
from mmbnft.ranking.run_facts import run_provenance
from mmbnft.ranking.study import study
from mmbnft.ranking.table import score_table
from mmbnft.results import Result, write_result

COSTS = {"finetune": 900.0, "linear": 60.0, "bn": 90.0, "knn": 2.0}


def table(columns, tasks=1, turn=0):
    """One value per checkpoint and protocol; every later task has the values of the first, `turn` checkpoints on."""
    rows = [
        (f"c{(i + turn * t) % len(values):02d}", f"t{t}", protocol, value, COSTS.get(protocol, 5.0))
        for t in range(tasks)
        for protocol, values in columns.items()
        for i, value in enumerate(values)
        if value is not None
    ]
    return pd.DataFrame(rows, columns=["checkpoint", "task", "protocol", "value", "cost_seconds"])


def judged(columns, tasks=1, turn=0, **options):
    return study(score_table(table(columns, tasks, turn)), Facts(), 0, 500, {}, **options)


def result(checkpoint="a", protocol="linear", value=80.0, **changes):
    settings = dict(task="dtd", recipe="r1", split=1, seed=0, key=checkpoint + protocol, status="ok", metric="top1")
    return Result(checkpoint=checkpoint, protocol=protocol, value=value, **{**settings, **changes})


TARGET = [50.0, 52, 55, 57, 61, 62, 66, 68, 71, 75]
SHUFFLED = [60.0, 52, 68, 57, 66, 50, 61, 75, 55, 71]


def test_a_tie_is_told_as_a_tie():
    found = judged({"finetune": TARGET, "bn": TARGET, "linear": [v - 5 for v in TARGET]})
    assert found.verdicts["t0"].startswith("On this task, bn and linear predict finetune equally well (tau 1.00")


def test_perfect_order_is_no_certainty():
    found = judged({"finetune": TARGET[:4], "bn": TARGET[:4]})
    rows = found.correlations.query("proxy == 'bn' and statistic == 'kendall'").set_index("task")
    assert rows["value"]["t0"] == 1
    assert rows[["ci_low", "ci_high"]].isna().all(axis=None)
    assert rows["note"]["t0"] == "no interval: every resample gives the same value"
    assert "tau 1.00 (no interval), n = 4; even this correlation is not significantly" in found.verdicts["t0"]


def test_beaten_proxies_are_named_beside_those_that_are_not_separable():
    near = [v + (1.5 if i % 3 == 0 else -1.5) for i, v in enumerate(TARGET)]
    reverse = TARGET[::-1]
    found = judged({"finetune": TARGET, "bn": near, "linear": [v + 0.5 for v in near[::1]], "knn": reverse}, tasks=5)
    sentence = found.verdicts["all tasks (mean)"]
    assert "better than knn" in sentence


def test_a_proxy_that_may_be_worthless_is_not_advised():
    found = judged({"finetune": TARGET, "linear": SHUFFLED, "knn": SHUFFLED[::-1]})
    assert found.advice.startswith("No proxy can be trusted here")
    assert "cheapest" not in found.advice


def test_a_cheap_proxy_is_advised_only_within_the_stated_margin():
    near = [v + (0.4 if i % 2 else -0.4) for i, v in enumerate(TARGET)]
    columns = {"finetune": TARGET, "linear": [v + (3 if i % 4 == 0 else 0) for i, v in enumerate(near)]}
    columns["knn"] = [v + (9 if i % 3 == 0 else -3) for i, v in enumerate(TARGET)]
    strict = judged(columns, tasks=6, turn=3, margin=0.0)
    assert strict.advice.startswith("linear is the most trusted proxy")
    loose = judged(columns, tasks=6, turn=3, margin=1.0)
    assert loose.advice.startswith("knn is the cheapest proxy shown to lose at most 1 tau to the most trusted")


def test_a_control_that_is_ahead_is_reported_and_bars_advice():
    columns = {"finetune": TARGET, "linear": [v + (4 if i % 2 else -4) for i, v in enumerate(TARGET)]}
    found = judged(columns, tasks=3)  # all tasks order the checkpoints alike: the other tasks tell all
    assert any(finding.code == "MB306" and "linear" in finding.sentence for finding in found.findings)
    assert found.advice.startswith("No proxy can be trusted here")


def test_every_estimate_lies_inside_its_own_interval():
    rows = []
    for seed in range(3):
        noisy = {
            "finetune": [v + (2 * ((i * (seed + 2)) % 3) - 2) for i, v in enumerate(TARGET)],
            "bn": [v + (3 * ((i * (seed + 5)) % 4) - 4) for i, v in enumerate(TARGET)],
        }
        rows.append(table(noisy, tasks=4).assign(seed=seed))
    found = study(score_table(pd.concat(rows)), Facts(), 0, 500, {})
    known = found.correlations[found.correlations["ci_low"].notna()]
    assert len(known) > 20
    assert ((known["ci_low"] <= known["value"]) & (known["value"] <= known["ci_high"])).all()
    lost = found.selection[found.selection["regret_ci_low"].notna()]
    assert ((lost["regret_ci_low"] <= lost["regret"]) & (lost["regret"] <= lost["regret_ci_high"])).all()


def test_without_any_fine_tuned_run_the_checkpoints_are_ranked_all_the_same(tmp_path):
    results = [result(f"c{i}", protocol, 60.0 + i) for i in range(5) for protocol in ("linear", "knn")]
    report = rank_results(results, "finetune", tmp_path, resamples=100)
    sentence = report.study.leaderboard.sentence
    assert sentence.startswith("finetune has not been run yet. By all proxies, c4 ranks first")
    assert sentence.endswith("Next, run finetune on c4, c3, c2.")
    assert "c4" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    ("tasks", "reason"), [("t", "one run per cell"), ("tu", "fewer than three tasks that all checkpoints have")]
)
def test_why_there_is_no_uncertainty_is_said(tmp_path, tasks, reason):
    results = [
        result(f"c{i}", protocol, 60.0 + i, task=task, key=f"{i}{protocol}{task}")
        for i in range(5)
        for task in tasks
        for protocol in ("bn", "finetune")
    ]
    sentence = rank_results(results, "finetune", tmp_path, resamples=100).study.leaderboard.sentence
    assert sentence.endswith(f"; with {reason} there is no estimate of uncertainty.")


def test_a_checkpoint_that_was_not_fine_tuned_is_ranked_by_the_trusted_proxy():
    near = [v + (-2 if i % 3 else 2) for i, v in enumerate(TARGET)]
    found = judged({"finetune": [*TARGET[:9], None], "bn": near, "knn": SHUFFLED})
    board = found.leaderboard
    assert board.by == "bn"
    assert board.rows["checkpoint"][0] == "c09"
    assert board.rows["target_tasks"][0] == 0
    assert board.sentence.startswith("finetune has been run on 9 of 10 checkpoints. By bn, c09 ranks first.")
    assert board.sentence.endswith("Next, run finetune on c09.")


def test_the_folder_of_a_grid_is_read_beside_its_own_report(tmp_path):
    for i in range(5):
        for protocol in ("linear", "finetune"):
            write_result(tmp_path / "results", result(f"c{i}", protocol, 60.0 + i * (i % 3)))
    first = rank_sources([tmp_path], out=tmp_path, resamples=100)
    again = rank_sources([tmp_path], out=tmp_path, resamples=100)
    assert (tmp_path / "report.json").exists()
    pd.testing.assert_frame_equal(first.study.correlations, again.study.correlations)


def test_a_result_says_its_scale_whatever_its_values(tmp_path):
    numbers = {"finetune": [70, 80, 90, 0.4, 60.0], "linear": [30, 40, 45, 0.8, 20], "hscore": [25, 30, 20, 0.4, 12]}
    results = [
        result(f"c{i}", protocol, float(value), scale="score" if protocol == "hscore" else "percent")
        for protocol, values in numbers.items()
        for i, value in enumerate(values)
    ]
    found = rank_results(results, out=tmp_path, resamples=100).study
    assert found.scores.bounded == {"finetune", "linear"}
    assert found.scores.tasks[0].means("linear").min() == 0.8
    assert "MB203" not in {finding.code for finding in found.findings}
    rows = found.correlations[(found.correlations["proxy"] == "hscore") & (found.correlations["n"] == 5)]
    assert math.isnan(rows[rows["task"].str.contains("logit")]["value"].item())


def test_partial_loads_leakage_and_stated_normalisation_are_reported():
    details = {
        "certificate": {"partial": True, "normalisation_known_from": "stated"},
        "leakage": {"exact": 3, "near": 7, "between": {"train-test": {"exact": 3, "near": 7}}},
        "diverged_episodes": [4, 9],
    }
    results = [result("a", details=details), result("b", details={"leakage": {"exact": 0, "near": 0}})]
    found = {finding.code: finding.sentence for finding in run_findings(results)}
    assert set(found) == {"MB101", "MB102", "MB103", "MB108"}
    assert found["MB101"].startswith("a lacked tensors of its network")
    assert found["MB103"].startswith("dtd, split 1: 3 exact and 7 near duplicates between train-test")
    assert found["MB108"].startswith("linear of a on dtd (split 1, seed 0): 2 episodes diverged")
    assert run_provenance(results)["partially loaded"] == ["a"]


@pytest.mark.parametrize("code", ["MB301", "MB302"])
def test_a_check_can_be_ignored(code):
    columns = {"finetune": TARGET, "bn": TARGET[::-1]}
    assert code in {finding.code for finding in judged(columns).findings}
    assert code not in {finding.code for finding in judged(columns, ignore=[code]).findings}
