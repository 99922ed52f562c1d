"""Shards, selections and estimates of a plan."""

import dataclasses
import errno
import statistics

import pytest

from mmbnft.grid.estimate import estimate
from mmbnft.grid.filters import Part, Selection, Shard
from mmbnft.grid.grid import Outcome, judge, open_jobs
from mmbnft.grid.plan import plan_runs
from mmbnft.grid.store import ResultStore, StorageError
from mmbnft.results import Result
from mmbnft.utils.errors import UserError
from mmbnft.utils.wording import duration


def finished(run, seconds, **changes):
    spec = run.spec
    values = dict(
        checkpoint=run.checkpoint, task=run.task, protocol=run.protocol, recipe=spec.recipe.name, split=spec.split,
        seed=spec.seed, key=run.key, status="ok", value=50.0, metric="top1", cost=dict(seconds=seconds),
        details=dict(config=run.config),
    )  # fmt: skip
    return Result(**(values | changes))


@pytest.mark.parametrize("count", [1, 2, 5, 13])
def test_shards_partition_a_plan_evenly_whatever_its_order(make_benchmark, count):
    runs = plan_runs(make_benchmark(seeds=(0, 1)))
    shares = [Shard(index, count).of(runs) for index in range(1, count + 1)]
    assert sorted(run.key for share in shares for run in share) == sorted(run.key for run in runs)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    backwards = [Shard(index, count).of(runs[::-1]) for index in range(1, count + 1)]
    assert [{run.key for run in share} for share in backwards] == [{run.key for run in share} for share in shares]


def test_a_comma_in_parentheses_belongs_to_a_name():
    random = "random ResNet-18 (base_channels=16, stem_channels=16)"
    assert Selection.parse([f"checkpoint={random},model0"]).allowed == {"checkpoint": (random, "model0")}
    assert Selection.parse([f"checkpoint=model0,{random}"]).allowed == {"checkpoint": ("model0", random)}


@pytest.mark.parametrize("text", ["0/4", "5/4", "1", "1/0", "a/b", "-1/4", "1/4/5", ""])
def test_a_shard_that_is_none_is_refused(text):
    with pytest.raises(UserError, match="a shard is I/N with I from 1 to N"):
        Shard.parse(text)


def test_a_part_of_a_plan_is_opened(make_benchmark, tmp_path):
    store = ResultStore(tmp_path / "results")
    only = Selection.parse(["protocol=linear", "checkpoint=model0,random"])
    plan = open_jobs(plan_runs(make_benchmark()), store, Part(only))
    assert (len(plan.jobs), len(plan.meant), len(plan.left)) == (6, 2, 2)
    store.write(finished(plan.left[0], 1.0))
    store.write(finished(plan.left[1], 1.0, status="failed", value=None, reason="it broke", kind="bug"))
    plan = open_jobs(plan_runs(make_benchmark()), store, Part(only))
    assert plan.left == ()
    assert plan.text.splitlines()[-1] == "2 runs: 2 done, 0 new, 0 to retry"
    again = open_jobs(plan_runs(make_benchmark()), store, Part(only), retry_failed=True)
    assert [run.checkpoint for run in again.left] == ["random"]
    assert again.text.splitlines()[1].startswith("retry  ")
    with pytest.raises(UserError, match="there is no checkpoint modell; there are: model0, model1, random"):
        open_jobs(plan_runs(make_benchmark()), store, Part(Selection.parse(["checkpoint=modell"])))


def test_the_cost_is_the_median_of_the_same_kind_of_run_or_unknown(make_benchmark):
    runs = plan_runs(make_benchmark())
    linear = [run for run in runs if run.protocol == "linear"]
    assert estimate(runs, []).judged == 0
    assert "no estimate yet for 6 runs: finetune on shapes (3), linear on shapes (3)" in estimate(runs, []).text
    seconds = [10.0, 400.0, 20.0]
    done = [finished(run, s) for run, s in zip(linear, seconds, strict=True)]
    found = estimate(runs, done)
    assert (found.seconds, found.judged) == (3 * statistics.median(seconds), 3)
    assert found.unknown == {"finetune on shapes": 3}
    assert found.text.startswith("about 60 seconds on one worker for 3 runs")
    # Another recipe, or a failure, says nothing about these runs.
    recipe = dataclasses.replace(make_benchmark().recipe, epochs=9)
    other = plan_runs(make_benchmark(recipe=recipe))
    assert estimate(other, done).judged == 0
    assert estimate(runs, [finished(linear[0], 1.0, status="failed", value=None, reason="x", kind="bug")]).judged == 0
    assert estimate([], done).text == "nothing left to run"


def test_an_unknown_cost_names_a_few_kinds_only(make_benchmark):
    runs = plan_runs(make_benchmark(protocols=("knn", "linear", "bn", "bn_stats", "bn_frozen_stats", "finetune")))
    text = estimate(runs, []).text
    assert text.startswith("no estimate yet for 18 runs: bn on shapes (3), ")
    assert text.endswith("finetune on shapes (3), and 2 more kinds")


def test_durations_read_well():
    assert [duration(s) for s in (1.3, 59, 119, 120, 7200, 172_800)] == [
        "1 second", "59 seconds", "119 seconds", "2.0 minutes", "2.0 hours", "2.0 days"
    ]  # fmt: skip


def test_results_that_cannot_be_judged_are_no_error(make_benchmark, make_result, tmp_path):
    alone = Outcome((make_result("a", protocol="linear"), make_result("a", protocol="finetune")), 0, 2)
    (sentence,) = judge(make_benchmark(), alone, tmp_path)
    assert sentence.startswith("no report: ")
    assert not list(tmp_path.glob("report*"))


def test_a_report_that_does_not_fit_on_the_disk_is_an_error(make_benchmark, make_result, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("mmbnft.ranking.rank_results", full)
    with pytest.raises(StorageError, match="No space left on device"):
        judge(make_benchmark(), Outcome((), 0, 0), tmp_path)
