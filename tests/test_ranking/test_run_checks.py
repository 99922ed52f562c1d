import pytest

from mmbnft.ranking.run_checks import run_findings
from mmbnft.results import Result


def run(value, *vals, seed=0, **settings):
    search = [{"trial": trial, "lr": 0.1 * (trial + 1), "val": val} for trial, val in enumerate(vals)]
    return Result("c", "t", "bn", "r", 0, seed, "a" * 64, "ok", value, "top1", details={"search": search}, **settings)


def fired(*results):
    return [finding for finding in run_findings(results) if finding.code == "MB110"]


def test_runs_that_lose_what_their_search_promised_are_named_with_both_values_the_worst_first():
    (finding,) = fired(run(17.0, 70.0, 20.0, seed=1), run(69.0, 70.0), run(9.9, 10.0, 70.0, seed=2), run(60.0))
    assert finding.level == "may change the pick"
    assert finding.sentence == (
        "2 of 3 runs with a search are more than 20 points below their val: "
        "bn of c on t (split 0, seed 2) 70.0 % on val, 9.9 % on test; "
        "bn of c on t (split 0, seed 1) 70.0 % on val, 17.0 % on test; "
        "training them again failed, or test differs from val"
    )


def test_three_runs_are_named_and_the_others_counted():
    (finding,) = fired(*(run(10.0 + seed, 90.0, seed=seed) for seed in range(5)))
    assert "5 of 5 runs" in finding.sentence
    assert "seed 2) 90.0 % on val, 12.0 % on test and 2 more;" in finding.sentence


@pytest.mark.parametrize(
    "result",
    [
        run(50.1, 70.0),  # what a few images on val explain
        run(80.0, 50.0),
        run(17.0),  # no search
        run(17.0, None, None),  # all trials diverged
        run(0.2, 70.0, scale="score"),  # not in percent
    ],
)
def test_other_runs_are_no_finding(result):
    assert fired(result) == []
