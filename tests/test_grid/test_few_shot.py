import dataclasses

import pytest
import torch

from mmbnft.evaluation.run_spec import load_config
from mmbnft.fewshot.optimisation import Optimisation
from mmbnft.grid import episode_jobs
from mmbnft.grid.environment import check_device
from mmbnft.grid.episode_jobs import FewShotBenchmark, plan_episodes
from mmbnft.grid.estimate import estimate
from mmbnft.grid.filters import Part, Selection
from mmbnft.grid.grid import open_jobs
from mmbnft.grid.plan import task_config
from mmbnft.grid.store import ResultStore
from mmbnft.grid.worker import WorkSettings, work
from mmbnft.ranking import rank_sources
from mmbnft.recipes.recipe import Recipe
from mmbnft.tasks import images
from mmbnft.utils.errors import UserError

TINY = dict(type="ResNet", depth=18, base_channels=4, stem_channels=4, out_indices=[4], norm_cfg=dict(type="BN"))
MODEL = dict(type="Classification", backbone=TINY, head=dict(type="BnftLinearHead"))


class _Inline:
    """Executes jobs in this process, where a test can look into them."""

    def check_device(self, device, jobs=()):
        check_device(device, jobs)

    def execute(self, jobs, store, settings, finished):
        for job in jobs:
            finished(job, work(job, store, settings))


def run_few_shot(benchmark, out, retry_failed=False, device="auto", **options):
    return episode_jobs.run_few_shot(benchmark, _Inline(), WorkSettings(out, device, retry_failed), **options)


@pytest.fixture
def make(weights):
    def make(**changes):
        values = dict(
            name="test",
            model=MODEL,
            recipe=Recipe(name="test", optimizer=dict(type="SGD", lr=0.1), steps=2),
            checkpoints=(*weights, "random"),
            tasks=(dict(type="drawn", train_size=48, val_size=24, test_size=24),),
            methods=("nearest_mean", "linear", "bn"),
            shots=(1, 2),
            episodes=dict(n_way=3, queries=3, episodes=3),
        )
        return FewShotBenchmark(**(values | changes))

    return make


def test_a_benchmark_runs_once_and_continues(make, tmp_path):
    first = run_few_shot(make(methods=("nearest_mean", "linear")), tmp_path)
    assert (first.executed, first.skipped, first.failures) == (12, 0, ())
    manifests = {path: path.read_bytes() for path in (tmp_path / "manifests").iterdir()}
    assert len(manifests) == 2
    min((tmp_path / "results").glob("*.json")).unlink()
    again = run_few_shot(make(), tmp_path)
    assert (again.executed, again.skipped) == (1 + 6, 11)
    assert {path: path.read_bytes() for path in (tmp_path / "manifests").iterdir()} == manifests
    hashes = {(r.details["episodes"]["k_shot"], r.details["manifest"]) for r in again.results}
    assert len(hashes) == 2  # one for each number of shots, whatever the checkpoint and the method
    assert run_few_shot(make(), tmp_path).executed == 0
    shared = run_few_shot(make(), tmp_path / "other", manifests=tmp_path / "manifests")
    assert {r.key for r in shared.results} == {r.key for r in again.results}


def test_features_are_computed_once_for_all_methods(make, tmp_path, monkeypatch):
    asked, prepare = [], episode_jobs.prepare_subject
    monkeypatch.setattr(
        episode_jobs, "prepare_subject", lambda spec, *rest: asked.append(spec.checkpoint) or prepare(spec, *rest)
    )
    assert run_few_shot(make(), tmp_path).executed == 18
    assert len(asked) == 3 * 2  # checkpoints and shots


def test_a_part_of_the_plan_is_chosen_by_coordinates(make, tmp_path):
    benchmark, store = make(shots=(1,)), ResultStore(tmp_path / "results")
    part = Part(Selection.parse(["protocol=fewshot-linear-3way-1shot", "checkpoint=random"]))
    outcome = episode_jobs.run_few_shot(benchmark, _Inline(), WorkSettings(tmp_path), part)
    (result,) = outcome.results
    assert (result.checkpoint, result.protocol) == ("random", "fewshot-linear-3way-1shot")
    plan = open_jobs(plan_episodes(benchmark, tmp_path / "manifests"), store, Part())
    assert plan.counts == "9 runs: 1 done, 8 new, 0 to retry"
    linear = [job for job in plan.left if job.protocol == result.protocol]
    assert (len(linear), estimate(linear, outcome.results).judged) == (2, 2)  # by what the one of `random` cost


def test_images_are_decoded_once_for_all_checkpoints_and_methods(make, folder, tmp_path, monkeypatch):
    decoded, decode = [], images.decode_rgb
    monkeypatch.setattr(images, "decode_rgb", lambda path, where: decoded.append(path) or decode(path, where))
    recipe = Recipe(
        name="test", optimizer=dict(type="SGD", lr=0.1), steps=2, test_pipeline=[dict(type="CenterCrop", size=32)]
    )
    files = dict(recipe=recipe, tasks=(dict(type="list_task", root=str(folder)),), shots=(1,))
    benchmark = make(**files, episodes=dict(n_way=2, queries=2, episodes=3))
    outcome = run_few_shot(benchmark, tmp_path / "kept")
    assert len(outcome.results) == 9
    assert not outcome.failures
    # A few of each list were decoded before, to estimate what all will take.
    assert set(decoded) == set((folder / "images").iterdir())
    assert max(decoded.count(path) for path in decoded) <= 2
    monkeypatch.setattr(episode_jobs, "CACHE_LIMIT", 1)  # nothing fits
    plain = run_few_shot(benchmark, tmp_path / "decoded")
    assert len(decoded) > 4 * 18
    kept = {result.key: result.details["accuracies"] for result in outcome.results}
    assert {result.key: result.details["accuracies"] for result in plain.results} == kept


def test_the_ranking_reads_the_results(make, tmp_path):
    outcome = run_few_shot(make(), tmp_path / "out")
    report = rank_sources(
        [tmp_path / "out" / "results"], target="fewshot-bn-3way-2shot", out=tmp_path / "ranking", resamples=100
    )
    (scores,) = report.study.scores.tasks
    assert len(scores.checkpoints) == 3
    methods = ("nearest_mean", "linear", "bn")
    assert set(scores.repeats) == {f"fewshot-{m}-3way-{k}shot" for m in methods for k in (1, 2)}
    assert len(outcome.results) == 18


def test_a_failing_run_is_recorded_and_the_others_go_on(make, tmp_path):
    recipe = Recipe(name="wild", optimizer=dict(type="SGD", lr=1e30), steps=6)
    benchmark = make(recipe=recipe, shots=(2,), checkpoints=("random",), methods=("bn", "finetune", "nearest_mean"))
    outcome = run_few_shot(benchmark, tmp_path)
    failed = {r.details["config"]["method"]: r.reason for r in outcome.failures}
    assert "finetune" in failed
    assert all("not finite" in reason for reason in failed.values())
    assert any(r.status == "ok" and r.details["config"]["method"] == "nearest_mean" for r in outcome.results)
    assert run_few_shot(benchmark, tmp_path).executed == 0
    assert run_few_shot(benchmark, tmp_path, retry_failed=True).executed == len(failed)


def test_a_checkpoint_that_does_not_load_fails_its_runs_only(make, tmp_path, weights):
    content = torch.load(weights[0], weights_only=True)
    del content["state_dict"]["layer4.1.bn2.bias"]
    torch.save(content, weights[0])
    outcome = run_few_shot(make(shots=(1,), methods=("nearest_mean",)), tmp_path)
    assert [(r.checkpoint, r.status) for r in outcome.results] == [
        ("model0", "failed"), ("model1", "ok"), ("random", "ok"),
    ]  # fmt: skip
    assert "1 missing: layer4.1.bn2.bias" in outcome.failures[0].reason


def test_mistakes_show_before_anything_runs(make, tmp_path):
    twice = (dict(type="drawn", train_size=48, val_size=24, test_size=24, noise=n) for n in (0.1, 0.2))
    cases = [
        (lambda: make(methods=("bn", "bn")), "methods of benchmark 'test' must be a list without repeats"),
        (lambda: make(checkpoints=()), "checkpoints of benchmark 'test' must be a list"),
        (lambda: make(methods=("cnn",)), "'cnn' is not a few-shot method"),
        (lambda: make(episodes=dict(k_shot=5)), "take their k_shot from the list shots"),
        (lambda: make(shots=(0,)), "k_shot of episodes must be a whole number from 1, got 0"),
        (lambda: make(recipe=_searching()), "searches; set episodes.validation above 0"),
        (lambda: run_few_shot(make(shots=(100,)), tmp_path), "classes have fewer than the 103 images"),
        (lambda: run_few_shot(make(checkpoints=("nobody",)), tmp_path), "no checkpoint is called 'nobody'"),
        (lambda: run_few_shot(make(tasks=tuple(twice)), tmp_path), "must differ in their names"),
        (lambda: run_few_shot(make(), tmp_path, device="tpu"), "unknown device"),
    ]
    for action, words in cases:
        with pytest.raises(UserError, match=words):
            action()
    assert not (tmp_path / "results").exists()
    assert make(recipe=_searching(), methods=("nearest_mean",)).methods == ("nearest_mean",)


def _searching():
    return Recipe(
        name="s",
        optimizer=dict(type="SGD", lr=1),
        steps=1,
        search=dict(lr=[1, 2]),
        probe=dict(solver="convex", weight_decays=[1, 2]),
    )


def test_tasks_are_named_as_a_person_would():
    assert task_config("a/b.npz") == dict(type="array_task", path="a/b.npz")
    assert task_config("digits") == dict(type="digits")
    assert task_config("data/eurosat") == dict(type="list_task", root="data/eurosat")


def test_named_recipes_are_the_published_settings():
    ericsson = FewShotBenchmark.from_config(load_config("configs/few_shot/ericsson.py"))
    assert [s.k_shot for s in ericsson.settings()] == [5, 20, 50]
    for s in ericsson.settings():
        assert (s.n_way, s.queries, s.episodes, s.pool, s.seed, s.validation) == (5, 15, 600, "all", 0, 0)
    assert ericsson.methods == ("nearest_mean",)
    assert [dict(step) for step in ericsson.recipe.test_pipeline] == [
        dict(type="Resize", size=(257, 257)), dict(type="CenterCrop", size=224),
    ]  # fmt: skip
    cdfsl = FewShotBenchmark.from_config(load_config("configs/few_shot/cdfsl.py"))
    assert dataclasses.replace(cdfsl.settings()[0], seed=0) == ericsson.settings()[0]
    assert {s.seed for s in cdfsl.settings()} == {10}
    assert cdfsl.recipe.optimizer == dict(type="SGD", lr=0.01, momentum=0.9, dampening=0.9, weight_decay=0.001)
    assert (cdfsl.recipe.epochs, cdfsl.recipe.batch_size, cdfsl.recipe.steps) == (100, 4, None)
    assert Optimisation.of(cdfsl.recipe, {}, 25, 0, range(1)).steps == 700


@pytest.mark.parametrize("name", ["quickstart", "ericsson", "cdfsl", "own"])
def test_configurations_follow_their_names(name):
    benchmark = FewShotBenchmark.from_config(load_config(f"configs/few_shot/{name}.py"))
    assert benchmark.name == name


def test_incomplete_configurations_are_refused(tmp_path):
    (tmp_path / "c.py").write_text("few_shot = dict(speed=1)\nmodel = dict()\nrecipe = dict()\n")
    with pytest.raises(UserError, match="unknown few_shot settings speed; allowed: checkpoints"):
        FewShotBenchmark.from_config(load_config(tmp_path / "c.py"))
    with pytest.raises(UserError, match=r"quickstart.py is not a few_shot configuration: it lacks few_shot"):
        FewShotBenchmark.from_config(load_config("configs/benchmarks/quickstart.py"))
