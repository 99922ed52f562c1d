import pytest

from mmbnft.ranking.run_checks import run_findings
from mmbnft.ranking.search_range import narrow_searches
from mmbnft.results import Result


def results(chosen, trials, number=4, protocol="linear", setting="lr"):
    search = [{setting: value, "val": val} for value, val in trials]
    return [
        Result("c", "t", protocol, "r", 0, seed, "a" * 64, "ok", 50.0, "top1",
               details={"search": search, "chosen": {setting: chosen}})
        for seed in range(number)
    ]  # fmt: skip


def test_a_protocol_that_mostly_chooses_one_end_is_named_with_its_numbers():
    inside = results(0.1, [(0.01, 40.0), (0.1, 60.0), (1.0, 50.0)], 1, "bn")
    found = results(0.1, [(0.01, 40.0), (0.1, 60.0)], 7) + results(0.01, [(0.01, 70.0), (0.1, 60.0)], 2) + inside
    (finding,) = narrow_searches(found)
    assert finding.code == "MB109"
    assert finding.sentence == (
        "linear chose the largest lr tried (0.1) in 7 of 9 runs; values beyond it may be better, "
        "so widen the search of the recipe"
    )
    assert finding in run_findings(found)
    assert finding.level == "may change the pick"


def test_the_smallest_is_an_end_too():
    (finding,) = narrow_searches(results(0.01, [(0.01, 70.0), (0.1, 60.0), (1.0, 10.0)]))
    assert "chose the smallest lr tried (0.01) in 4 of 4 runs" in finding.sentence


@pytest.mark.parametrize(
    "found",
    [
        results(0.1, [(0.01, 40.0), (0.1, 60.0), (1.0, 50.0)]),  # inside
        results(0.1, [(0.01, 60.0), (0.1, 60.0)]),  # another value is as good
        results(0.1, [(0.1, 60.0)]),  # nothing to choose
        results(0.1, [(0.01, 40.0), (0.1, 60.0)], 3),  # too few
        results(0.0, [(0.0, 60.0), (1e-4, 50.0)], setting="weight_decay"),  # nothing lies below
        results(0.1, [(0.01, 40.0), (0.1, 60.0)], 3) + results(0.01, [(0.01, 70.0), (0.1, 60.0)], 1),  # not most
        [Result("c", "t", "knn", "r", 0, seed, "a" * 64, "ok", 0.5, "knn", "score") for seed in range(5)],
    ],
)
def test_a_search_that_is_wide_enough_is_no_finding(found):
    assert narrow_searches(found) == []
