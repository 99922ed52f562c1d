"""A grid decodes every image once, and refuses to report on what it chose on."""

import pytest

from mmbnft.grid.executors import LocalExecutor
from mmbnft.grid.grid import run_benchmark
from mmbnft.grid.plan import plan_runs
from mmbnft.grid.worker import WorkSettings
from mmbnft.recipes.recipe import Recipe
from mmbnft.utils.errors import UserError

PARTS = {"train": 8, "val": 4, "test": 6}  # images of `folder`


@pytest.fixture
def make_grid(make_benchmark, weights, folder):
    crop = [dict(type="CenterCrop", size=32)]
    optimizer = dict(type="SGD", lr=0.01)
    recipe = Recipe("t", epochs=1, batch_size=4, optimizer=optimizer, train_pipeline=crop, test_pipeline=crop)
    task = dict(type="list_task", root=str(folder))
    return lambda: make_benchmark(tasks=(task,), recipe=recipe, protocols=("finetune",), checkpoints=tuple(weights))


def test_all_workers_share_one_cache_beside_the_results(make_grid, tmp_path):
    outcome = run_benchmark(make_grid(), LocalExecutor(2), WorkSettings(tmp_path / "out"))
    assert [result.reason for result in outcome.results] == [""] * 2
    entries = list((tmp_path / "out" / "cache" / "images").iterdir())
    sizes = sorted(count * (3 * 32 * 32 + 16) for count in PARTS.values())
    for size, expected in zip(sorted(path.stat().st_size for path in entries), sizes, strict=True):
        assert 0 < size - expected < 300  # the description


def test_a_grid_that_reports_on_what_it_chose_on_is_refused_before_any_run(make_grid, folder, tmp_path):
    lists = folder / "lists" / "0"
    (lists / "val.txt").write_text((lists / "test.txt").read_text())
    with pytest.raises(UserError, match=r"6 of 6 test images are in val too, e\.g\. .*test0\.png"):
        plan_runs(make_grid())
