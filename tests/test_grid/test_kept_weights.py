import dataclasses

import pytest

from mmbnft.artifacts import Artifacts, kept, weights_path
from mmbnft.evaluation.weights import restore
from mmbnft.grid.plan import plan_runs
from mmbnft.grid.store import ResultStore
from mmbnft.grid.worker import WorkSettings, work


@pytest.mark.parametrize(("policy", "expected"), [("none", 0), ("best", 1), ("all", 4)])
def test_weights_are_kept_as_asked(make_benchmark, weights, tmp_path, policy, expected):
    store, settings = ResultStore(tmp_path / "out/results"), WorkSettings(tmp_path / "out", keep_weights=policy)
    for job in plan_runs(make_benchmark(checkpoints=tuple(weights))):
        assert work(job, store, settings).result.artifacts == Artifacts()  # on disk, and sent nowhere
    results = store.results()
    assert {kept(store.folder, result.key).split(", ")[0] for result in results} == {"predictions"}
    assert len(list((tmp_path / "out").glob("weights/*.pth"))) == expected
    if policy == "best":
        best = max(results, key=lambda result: (result.value, result.key))
        assert weights_path(best.folder, best.key).exists()
        restore(best)


def test_curves_of_a_grid_have_val_where_asked(make_benchmark, weights, tmp_path):
    recipe = dataclasses.replace(make_benchmark().recipe, fit_on="train")
    (job,) = plan_runs(make_benchmark(checkpoints=tuple(weights[:1]), protocols=("bn",), recipe=recipe, target=None))
    settings = WorkSettings(tmp_path / "out", val_interval=1)
    result = work(job, ResultStore(tmp_path / "out/results"), settings).result
    assert [0 <= entry["val"] <= 100 for entry in result.details["curve"]] == [True]


def test_the_best_of_each_task_is_kept_whatever_the_order(make_result, tmp_path):
    store = ResultStore(tmp_path / "results")
    artifacts = Artifacts(weights={"meta": {}})
    for value in (50.0, 70.0, 60.0):
        for task in ("a", "b"):
            result = make_result(f"c{value}", value=value, task=task, key=f"{task}{value}".ljust(64, "0"))
            store.write(dataclasses.replace(result, artifacts=artifacts), only_best_weights=True)
    assert {path.stem for path in (tmp_path / "weights").iterdir()} == {f"{t}70.0".ljust(16, "0") for t in "ab"}
