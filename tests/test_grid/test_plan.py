from pathlib import Path

import pytest

from mmbnft.evaluation.run_spec import load_config
from mmbnft.grid.plan import Benchmark, plan_ready, plan_runs
from mmbnft.utils.errors import UserError


def test_plan_is_the_whole_grid_with_distinct_keys(make_benchmark):
    runs = plan_runs(make_benchmark(seeds=(0, 1), splits=(0, 1)))
    assert len(runs) == 3 * 1 * 2 * 2 * 2
    assert len({run.key for run in runs}) == len(runs)
    assert runs[0].label == "model0 shapes linear"


def test_keys_are_stable_and_follow_the_content_of_the_checkpoint(make_benchmark, weights):
    before = [run.key for run in plan_runs(make_benchmark())]
    assert before == [run.key for run in plan_runs(make_benchmark())]
    content = Path(weights[0]).read_bytes()
    Path(weights[0]).write_bytes(content + b"another")
    after = [run.key for run in plan_runs(make_benchmark())]
    assert [a == b for a, b in zip(before, after, strict=True)] == [False, True, True] * 2
    Path(weights[0]).write_bytes(content)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(checkpoints=()), "checkpoints of benchmark 'test' must be a list without repeats, got \\[\\]"),
        (dict(protocols=("linear", "linear", "finetune")), "protocols of benchmark 'test' must be a list without"),
        (dict(target="bn"), "the target 'bn' must be one of the protocols: finetune, linear"),
    ],
)
def test_impossible_grids_are_refused(make_benchmark, changes, message):
    with pytest.raises(UserError, match=message):
        make_benchmark(**changes)


def test_a_named_recipe_is_resolved_for_each_task_and_protocol(make_benchmark):
    named = make_benchmark(recipe=dict(named="ericsson"), protocols=("linear", "bn", "finetune"))
    recipes = {run.spec.protocol: run.spec.recipe for run in plan_runs(named)}
    assert {name: recipe.name for name, recipe in recipes.items()} == dict(
        linear="ericsson", bn="ericsson-derived", finetune="ericsson"
    )
    assert recipes["linear"].probe
    assert not recipes["finetune"].probe


def test_missing_checkpoint_is_found_before_anything_runs(make_benchmark):
    with pytest.raises(UserError, match=r"none\.pth"):
        plan_runs(make_benchmark(checkpoints=("weights/none.pth", "random")))


def test_two_names_of_the_same_weights_are_refused(make_benchmark, weights):
    Path(weights[0]).write_bytes(Path(weights[1]).read_bytes())
    with pytest.raises(UserError, match="are the same weights and would share their results; leave one out"):
        plan_runs(make_benchmark())


def test_one_protocol_under_two_names_is_refused_by_name(make_benchmark):
    with pytest.raises(UserError, match="the protocols 'partial' and 'partial:4' of benchmark 'test' are the same"):
        make_benchmark(protocols=("partial", "partial:4", "finetune"))
    defined = dict(name="mine", phases=[dict(train="norm", norm_stats="batch")])
    with pytest.raises(UserError, match="the protocols 'bn' and 'mine' of benchmark 'test' are the same"):
        make_benchmark(protocols=("bn", defined, "finetune"))


def test_protocols_have_one_name_and_may_be_defined(make_benchmark):
    defined = dict(name="mine", phases=[dict(train="head", epochs=1), dict(train="stage:3")])
    benchmark = make_benchmark(protocols=("knn", "partial:4", defined), target="partial:4")
    runs = plan_runs(benchmark)
    assert [run.protocol for run in runs[::3]] == ["knn", "partial", "mine"]
    assert benchmark.target == "partial"
    assert [phase.train for phase in runs[-1].spec.adaptation.phases] == ["head", "stage:3"]
    assert make_benchmark(protocols=("linear", defined), target="mine").target == "mine"


def test_the_same_task_under_two_names_is_refused_by_name(make_benchmark):
    (task,) = make_benchmark().tasks
    with pytest.raises(UserError, match=r"the tasks .*shapes.* and .*image_size.* hold the same images"):
        plan_runs(make_benchmark(tasks=(task, task | dict(image_size=32))))


def test_a_task_may_have_splits_of_its_own(make_benchmark):
    (task,) = make_benchmark().tasks
    runs = plan_runs(make_benchmark(tasks=(task | dict(splits=[1, 3]), task | dict(family="textures"))))
    assert {(run.task, run.spec.split) for run in runs} == {("shapes", 1), ("shapes", 3), ("textures", 0)}
    assert "splits" not in runs[0].spec.task
    with pytest.raises(UserError, match=r"splits of the task .* must be a list without repeats, got \[\]"):
        plan_runs(make_benchmark(tasks=(task | dict(splits=[]),)))


def test_what_can_be_planned_is_shown_beside_what_is_missing(make_benchmark, tmp_path):
    there = make_benchmark().tasks[0]
    benchmark = make_benchmark(tasks=(there, dict(type="list_task", root=str(tmp_path / "nowhere"))))
    runs, unready = plan_ready(benchmark)
    assert [run.key for run in runs] == [run.key for run in plan_runs(make_benchmark())]
    assert [item.runs for item in unready] == [len(runs)]
    assert "nowhere" in unready[0].reason
    runs, unready = plan_ready(make_benchmark(checkpoints=("gone.pth", "random")))
    assert [run.checkpoint for run in runs] == ["random", "random"]
    assert [item.runs for item in unready] == [2]
    assert "gone.pth" in unready[0].reason


def test_quickstart_configuration_is_a_plan():
    benchmark = Benchmark.from_config(load_config("configs/benchmarks/quickstart.py"))
    runs = plan_runs(benchmark)
    tiny = [name for name in benchmark.checkpoints if name.startswith("tiny-")]
    assert len(tiny) == 12
    assert {run.task for run in runs} == {"digits", "textures"}
    assert {run.spec.seed for run in runs if run.spec.protocol == "finetune"} == {0, 1}
    assert len(runs) == (len(tiny) + 1) * len(benchmark.tasks) * len(benchmark.protocols) * len(benchmark.seeds)


def test_unknown_settings_are_named():
    config = load_config("configs/benchmarks/quickstart.py", {"benchmark.protocol": "bn"})
    with pytest.raises(UserError, match="unknown benchmark settings protocol; allowed: checkpoints"):
        Benchmark.from_config(config)
    with pytest.raises(UserError, match="is not a benchmark configuration: it lacks benchmark"):
        Benchmark.from_config(load_config("configs/digits/tiny18.py"))
