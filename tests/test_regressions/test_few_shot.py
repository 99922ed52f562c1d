"""Faults of few-shot benchmarks: divergence, refusals that came late, names, networks, progress."""

import dataclasses
import io
import subprocess
import sys

import numpy as np
import pytest
import torch
from rich.console import Console

from mmbnft.evaluation.choosing import run_arm
from mmbnft.fewshot import EpisodeSettings, FewShotSpec, Method, execute_episodes, prepare_subject
from mmbnft.fewshot.arm import Accuracies, EpisodesArm
from mmbnft.fewshot.manifest import open_manifest
from mmbnft.fewshot.optimisation import check_for_episodes
from mmbnft.fewshot.report import write_report
from mmbnft.grid.episode_jobs import manifest_path
from mmbnft.hooks import progress_bar, report
from mmbnft.recipes.recipe import Recipe
from mmbnft.utils.errors import DivergedError, UserError
from mmbnft.zoo import Checkpoint

TINY = dict(type="ResNet", depth=18, base_channels=4, stem_channels=4, out_indices=[4], norm_cfg=dict(type="BN"))
MODEL = dict(type="Classification", backbone=TINY)
SGD = dict(type="SGD", lr=0.1)


@pytest.fixture
def prepared(shapes, tmp_path):
    """prepared(recipe) gives spec, task, manifest and subject of the `linear` method on five episodes."""

    def prepare(recipe):
        settings = EpisodeSettings(n_way=3, k_shot=2, queries=3, episodes=5, validation=3)
        manifest = open_manifest(tmp_path / "episodes.jsonl", shapes, settings)
        spec = FewShotSpec(MODEL, "linear", recipe, Checkpoint.random())
        return spec, shapes, manifest, prepare_subject(spec, shapes, manifest, torch.device("cpu"))

    return prepare


def _spoil(monkeypatch, spoilt):
    """Let heads trained on the support sets in `spoilt`, by their first features, diverge."""
    from mmbnft.fewshot import methods

    train = methods.fit_linear

    def fit(features, labels, classes, optimizer, steps, batches):
        weight, bias = train(features, labels, classes, optimizer, steps, batches)
        lost = [any(torch.equal(own, other) for other in spoilt(optimizer["lr"])) for own in features]
        return torch.where(torch.tensor(lost)[:, None, None], torch.nan, weight), bias

    monkeypatch.setattr(methods, "fit_linear", fit)


def _support(subject, episodes, numbers):
    return [subject.features[torch.from_numpy(subject.images.places(episodes.support[n].ravel()))] for n in numbers]


def test_an_episode_that_diverges_counts_as_chance_and_is_listed(prepared, monkeypatch):
    """In 0.1.0 one such test episode lost the whole run."""
    spec, task, manifest, subject = prepared(Recipe(name="r", optimizer=SGD, steps=3))
    sound = execute_episodes(spec, task, manifest, subject, "k").details["accuracies"]
    _spoil(monkeypatch, lambda lr: _support(subject, manifest.draw.test, [1, 4]))
    result = execute_episodes(spec, task, manifest, subject, "k")
    assert result.details["diverged_episodes"] == [1, 4]
    expected = [100 / 3 if n in (1, 4) else value for n, value in enumerate(sound)]
    assert result.details["accuracies"] == pytest.approx(expected)
    assert result.value == pytest.approx(np.mean(expected))
    assert "linear of random diverged in 2 of 5 episodes, which count as chance: 1, 4." in write_report([result])


def test_a_learning_rate_finite_on_all_validation_episodes_is_preferred(prepared, monkeypatch):
    recipe = Recipe(
        name="r", optimizer=SGD, steps=3, search=dict(lr=[0.5, 0.1]), probe=dict(solver="convex", weight_decays=[1, 2])
    )
    _, _, manifest, subject = prepared(recipe)
    run = EpisodesArm(Method.named("linear"), recipe, manifest, subject)
    _spoil(monkeypatch, lambda lr: _support(subject, manifest.draw.validation, [2]) if lr == 0.5 else [])
    chance = run.accuracies("validation", dict(lr=0.5))
    assert (chance.diverged, chance.values[2]) == ([2], pytest.approx(100 / 3))
    # However much better the other one is.
    reached = {0.5: Accuracies(np.full(3, 90.0), [2]), 0.1: Accuracies(np.full(3, 40.0), [])}
    monkeypatch.setattr(run, "accuracies", lambda part, trial: reached[trial["lr"]])
    assert run_arm(run, lambda: None).chosen == dict(lr=0.1)


def test_the_smaller_of_equal_learning_rates_is_taken_in_whatever_order(prepared, monkeypatch):
    monkeypatch.setattr(EpisodesArm, "accuracies", lambda *_: Accuracies(np.full(3, 50.0), []))
    for rates in ([0.4, 0.1, 0.2], [0.1, 0.2, 0.4]):
        recipe = Recipe(
            name="r",
            optimizer=SGD,
            steps=3,
            search=dict(lr=rates),
            probe=dict(solver="convex", weight_decays=[1, 2, 3]),
        )
        run = EpisodesArm(Method.named("linear"), recipe, *prepared(recipe)[2:])
        assert run_arm(run, lambda: None).chosen == dict(lr=0.1)


def test_a_run_of_which_every_episode_diverges_fails(prepared):
    spec, task, manifest, subject = prepared(Recipe(name="r", optimizer=dict(type="SGD", lr=1e38), steps=6))
    with pytest.raises(DivergedError, match="not finite in any of the 5 test episodes"):
        execute_episodes(spec, task, manifest, subject, "k")


def test_divergence_does_not_depend_on_queries(prepared):
    spec, _, manifest, subject = prepared(Recipe(name="r", optimizer=SGD, steps=3))
    place = subject.images.places(manifest.draw.test.queries[0, 0, :1])
    subject.features[torch.from_numpy(place)] = torch.inf
    outcome = EpisodesArm(Method.named("linear"), spec.recipe, manifest, subject).accuracies("test", {})
    touched = [n for n in range(5) if np.isin(subject.images.places(manifest.draw.test.support[n]), place).any()]
    assert outcome.diverged == touched
    assert np.isfinite(outcome.values).all()


@pytest.mark.parametrize("kind", ["Adagrad", "LBFGS", "RMSprop", "Muon"])
def test_optimisers_that_bn_cannot_use_are_refused_with_the_recipe(kind):
    """0.1.0 took them, ran `linear`, and failed `bn`."""
    with pytest.raises(UserError, match=f"must be one of Adam, AdamW, SGD, .* got '{kind}'"):
        check_for_episodes(Recipe(name="r", optimizer=dict(type=kind, lr=0.1), steps=1))


def test_arguments_that_the_optimiser_lacks_are_refused_with_the_recipe():
    with pytest.raises(UserError, match="optimizer of recipe 'r': the optimiser .* cannot be built"):
        check_for_episodes(Recipe(name="r", optimizer=dict(type="SGD", lr=0.1, betas=(0.9, 0.99)), steps=1))


@pytest.mark.parametrize("name", ["../../x", "a/b", "a\\b", ""])
def test_a_task_name_that_is_a_path_writes_no_manifest_anywhere(name, shapes, tmp_path):
    with pytest.raises(UserError, match="cannot be part of a file name"):
        manifest_path(tmp_path, dataclasses.replace(shapes, name=name), EpisodeSettings())


def test_a_network_with_group_norm_is_adapted_without_ending_the_process(tmp_path):
    """In a process of its own, since the fault is a crash; 0.1.0 died here of a signal."""
    code = f"""
import torch
from pathlib import Path
from mmbnft.recipes.recipe import Recipe
from mmbnft.fewshot import EpisodeSettings, FewShotSpec, execute_episodes, open_manifest, prepare_subject
from mmbnft.tasks import build_task
from mmbnft.zoo import Checkpoint
norm = dict(type="GN", num_groups=2)
model = dict(type="Classification", backbone=dict({TINY!r}, norm_cfg=norm))
task = build_task(dict(type="drawn", train_size=48, val_size=24, test_size=24))
folder = Path({str(tmp_path)!r})
manifest = open_manifest(folder / "e.jsonl", task, EpisodeSettings(n_way=3, k_shot=2, queries=3, episodes=2))
recipe = Recipe(name="t", optimizer=dict(type="SGD", lr=0.01), steps=2)
for method in ("bn", "finetune"):
    spec = FewShotSpec(model, method, recipe, Checkpoint.random())
    subject = prepare_subject(spec, task, manifest, torch.device("cpu"))
    assert execute_episodes(spec, task, manifest, subject, "k").status == "ok"
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("columns", [80, 120])
def test_the_bar_is_seen_in_a_terminal_of_any_width(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    bar = progress_bar()
    bar.add_task("moco-v2-800ep cropdiseases fewshot-bn_paper-5way-20shot", total=600, completed=300, note="n" * 80)
    screen = io.StringIO()
    Console(file=screen, width=columns, force_terminal=True, color_system=None).print(bar.get_renderable())
    (line,) = screen.getvalue().splitlines()
    assert line.count("\u2501") >= 5
    assert "300/600" in line
    assert len(line.rstrip()) <= columns


def test_without_a_terminal_there_is_one_line_for_each_report(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress_bar() as bar:
        bar.add_task("benchmark", total=2, note="")
        for value in ("a: 50.0 %", "b [x]: 60.0 % " + "long " * 40):
            report(bar, value)
    assert sys.stderr.getvalue().splitlines() == ["a: 50.0 %", "b [x]: 60.0 % " + "long " * 40]
