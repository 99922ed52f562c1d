import dataclasses

import pytest

from mmbnft.artifacts import Artifacts, kept, weights_path
from mmbnft.evaluation.weights import restore
from mmbnft.grid.executors import LocalExecutor
from mmbnft.grid.grid import run_benchmark
from mmbnft.grid.store import ResultStore


@pytest.mark.parametrize(("policy", "expected"), [("none", 0), ("best", 1), ("all", 6)])
def test_weights_are_kept_as_asked(make_benchmark, tmp_path, policy, expected):
    outcome = run_benchmark(make_benchmark(), tmp_path / "out", LocalExecutor(1), keep_weights=policy)
    assert {kept(tmp_path / "out/results", result.key).split(", ")[0] for result in outcome.results} == {"predictions"}
    assert len(list((tmp_path / "out").glob("weights/*.pth"))) == expected
    if policy == "best":
        best = max(outcome.results, key=lambda result: (result.value, result.key))
        assert weights_path(best.folder, best.key).exists()
        restore(best)


def test_the_best_of_each_task_is_kept_whatever_the_order(make_result, tmp_path):
    store = ResultStore(tmp_path / "results")
    artifacts = Artifacts(weights={"meta": {}})
    for value in (50.0, 70.0, 60.0):
        for task in ("a", "b"):
            result = make_result(f"c{value}", value=value, task=task, key=f"{task}{value}".ljust(64, "0"))
            store.write(dataclasses.replace(result, artifacts=artifacts), only_best_weights=True)
    assert {path.stem for path in (tmp_path / "weights").iterdir()} == {f"{t}70.0".ljust(16, "0") for t in "ab"}
