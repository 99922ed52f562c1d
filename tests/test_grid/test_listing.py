import pandas as pd
import pytest

from mmbnft.grid.filters import Selection
from mmbnft.grid.listing import format_results, open_results, stale_reasons, whole_table
from mmbnft.results import search_summary, write_result
from mmbnft.utils.errors import UserError


def test_the_table_has_every_result_and_the_search_over_its_whole_grid(make_result):
    halved = [dict(trial=0, val=40.0), dict(trial=1, val=60.0), dict(trial=2, val=None), dict(trial=1, val=70.0)]
    results = [
        make_result("a", value=61.5, details=dict(search=[dict(lr=0.1, val=50.0), dict(lr=0.2, val=53.0)])),
        make_result("b", value=62.0, details=dict(search=halved)),
        make_result("c", value=None),
    ]
    table = whole_table(results).set_index("checkpoint")
    assert list(table["status"]) == ["ok", "ok", "failed"]
    assert table.loc["a", ["search_trials", "search_best", "search_median", "search_mean"]].tolist() == [
        2,
        53,
        51.5,
        51.5,
    ]
    assert table.loc["b", ["search_trials", "search_failed", "search_best", "search_mean"]].tolist() == [3, 1, 70, 55]
    assert pd.isna(table.loc["c", "search_best"])
    assert "it broke" in table.loc["c", "reason"]
    assert search_summary(make_result("d", details=dict(search=[dict(val=None)]))) == dict(trials=1, failed=1)
    assert format_results(results).splitlines()[1].split()[:3] == ["a", "t", "linear"]


def test_selection_by_coordinates(make_result):
    results = [make_result(c, task=t) for c in "ab" for t in ("dtd", "pets")]
    chosen = Selection.parse(["checkpoint=b", "task=dtd,pets"]).of(results)
    assert [(r.checkpoint, r.task) for r in chosen] == [("b", "dtd"), ("b", "pets")]
    assert Selection.parse([]).of(results) == results
    with pytest.raises(UserError, match="there is no task dtt; there are: dtd, pets"):
        Selection.parse(["task=dtd,dtt"]).of(results)


@pytest.mark.parametrize("text", ["task", "task=", "colour=red", "=x"])
def test_a_selection_that_is_none_is_refused(text):
    with pytest.raises(UserError, match="a selection is NAME=VALUE"):
        Selection.parse([text])


def test_stale_results_are_found_by_plan_and_by_version(make_result):
    from mmbnft.results import RESULTS_VERSION

    now = make_result("now", details=dict(results_version=RESULTS_VERSION))
    old = make_result("old", details=dict(results_version=RESULTS_VERSION - 1))
    mute = make_result("mute", details={})
    assert [(r.checkpoint, why) for r, why in stale_reasons([now, old, mute], None)] == [
        ("old", f"made with results version {RESULTS_VERSION - 1}, now {RESULTS_VERSION}"),
        ("mute", "states no results version"),
    ]
    found = stale_reasons([now, old, mute], {old.key, mute.key})
    assert [(r.checkpoint, why[:17]) for r, why in found] == [("now", "not in the plan"), ("old", "made with results")]


def test_a_store_is_named_by_the_benchmark_s_folder_or_its_own(make_result, tmp_path):
    write_result(tmp_path / "results", make_result("a"))
    assert open_results(tmp_path) == open_results(tmp_path / "results") == [make_result("a")]
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="there is no result in"):
        open_results(tmp_path / "empty")
    with pytest.raises(UserError, match="there is no folder"):
        open_results(tmp_path / "none")
