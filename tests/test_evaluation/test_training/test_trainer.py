"""Length, schedule and optimiser of a phase, as the runner gets them."""

import dataclasses
import math

import pytest
import torch
from mmcv.runner import Hook

from mmbnft.evaluation.run import execute
from mmbnft.evaluation.training import trainer

COSINE = dict(policy="CosineAnnealing", min_lr=0.0, by_epoch=False)


class Recorder(Hook):
    """Keeps what the optimiser holds at every step."""

    def __init__(self):
        self.steps = []

    def before_train_iter(self, runner):
        group = runner.optimizer.param_groups[0]
        batch = len(runner.data_batch["label"])
        self.steps.append((group["lr"], group["weight_decay"], group.get("nesterov"), batch))


@pytest.fixture
def record(options):
    recorder = Recorder()
    return recorder, dataclasses.replace(options, hooks=(recorder,))


@pytest.mark.parametrize("steps", [1, 5, 6, 13])
def test_a_phase_takes_exactly_its_steps(make_spec, make_recipe, record, steps):
    """An epoch of the 96 images of train and val has 6 steps of 16."""
    recorder, options = record
    result = execute(make_spec("bn", make_recipe(epochs=None, steps=steps, lr_config=COSINE)), options)
    expected = [0.05 * 0.5 * (1 + math.cos(math.pi * step / steps)) for step in range(steps)]
    assert [step[0] for step in recorder.steps] == pytest.approx(expected)
    assert {step[3] for step in recorder.steps} == {16}
    assert len(result.details["curve"]) == math.ceil(steps / 6)
    assert result.cost["images"] == 16 * steps


def test_steps_are_those_of_trials_too(make_spec, make_recipe, record):
    recorder, options = record
    recipe = make_recipe(epochs=None, steps=5, search=dict(lr=[0.01, 0.1]))
    result = execute(make_spec("bn", recipe), options)
    assert result.cost["images"] == 3 * 5 * 16  # train has 4 steps an epoch, train and val together 6
    assert len(recorder.steps) == 15


def test_a_phase_with_epochs_of_its_own_keeps_them(make_spec, make_recipe, record):
    recorder, options = record
    result = execute(make_spec("linear_then_bn", make_recipe(epochs=None, steps=2)), options)
    assert len(recorder.steps) == 6 + 2  # one epoch of the first phase, two steps of the second
    assert [entry["phase"] for entry in result.details["curve"]] == [0, 1]


def test_frozen_features_are_trained_by_steps_as_well(make_spec, make_recipe, record):
    recorder, options = record
    execute(make_spec("linear", make_recipe(epochs=None, steps=4)), options)
    assert len(recorder.steps) == 4


def test_weight_decay_is_divided_by_the_rate_the_optimiser_gets(make_spec, make_recipe, record):
    recorder, options = record
    recipe = make_recipe(
        epochs=None,
        steps=1,
        optimizer=dict(type="SGD", lr=0.1, momentum=0.9, nesterov=True),
        search=dict(lr=[0.1, 0.001], weight_decay=[0.0, 1e-4]),
        weight_decay_over_lr=True,
    )
    result = execute(make_spec("bn", recipe), options)
    trials = recorder.steps[:4]
    assert [step[0] for step in trials] == [0.1, 0.1, 0.001, 0.001]
    assert [step[1] for step in trials] == pytest.approx([0, 1e-3, 0, 0.1])
    assert all(step[2] for step in trials)
    # What is reported is the searched pair, what the refit gets is divided again.
    chosen = result.details["chosen"]
    assert (chosen["lr"], chosen["weight_decay"]) in {(lr, wd) for lr in (0.1, 0.001) for wd in (0.0, 1e-4)}
    assert recorder.steps[-1][1] == pytest.approx(chosen["weight_decay"] / chosen["lr"])


def test_division_follows_the_scaled_rate_of_a_phase(make_recipe):
    recipe = make_recipe(optimizer=dict(type="SGD", lr=0.1, weight_decay=1e-3), weight_decay_over_lr=True)
    for scale in (1.0, 0.1):
        arguments = recipe.optimizer_arguments({}, scale)
        assert arguments["lr"] * arguments["weight_decay"] == pytest.approx(1e-3)
    assert recipe.optimizer == dict(type="SGD", lr=0.1, weight_decay=1e-3)
    assert make_recipe(optimizer=dict(type="SGD", lr=0.1, weight_decay=1e-3)).optimizer_arguments({}, 0.1) == dict(
        type="SGD", lr=pytest.approx(0.01), weight_decay=1e-3
    )


def test_one_step_takes_the_weight_decay_itself_off_a_weight(make_recipe):
    recipe = make_recipe(optimizer=dict(type="SGD", lr=0.1, weight_decay=0.02), weight_decay_over_lr=True)
    arguments = recipe.optimizer_arguments({})
    arguments.pop("type")
    weight = torch.nn.Parameter(torch.tensor([3.0]))
    weight.grad = torch.tensor([0.5])
    torch.optim.SGD([weight], **arguments).step()
    assert weight.item() == pytest.approx(3.0 - 0.1 * 0.5 - 0.02 * 3.0)


def test_the_fused_optimiser_is_used_and_gives_what_the_plain_one_gives(make_spec, make_recipe, options):
    class Kind(Hook):
        def before_run(self, runner):
            self.fused = runner.optimizer.param_groups[0].get("fused")

    losses = {}
    for wanted in ({}, {"fused": False}):
        kind = Kind()
        recipe = make_recipe(epochs=2, optimizer=dict(type="SGD", lr=0.05, momentum=0.9, weight_decay=1e-4, **wanted))
        result = execute(make_spec("finetune", recipe), dataclasses.replace(options, hooks=(kind,)))
        losses[kind.fused] = [entry["loss"] for entry in result.details["curve"]]
    assert set(losses) == {True, False}
    assert losses[True] == pytest.approx(losses[False], rel=1e-4)


def test_parameters_of_equal_settings_are_updated_at_once_and_alike():
    def optimizer(weights, merge):
        settings = [dict(lr=0.1), dict(lr=0.1), dict(lr=0.01), dict(lr=0.1)]
        groups = [dict(params=[weight], **own) for weight, own in zip(weights, settings, strict=True)]
        built = torch.optim.SGD(groups, lr=1.0, momentum=0.9, weight_decay=0.1)
        return trainer._with_few_groups(built) if merge else built

    outcomes = []
    for merge in (False, True):
        weights = [torch.nn.Parameter(torch.linspace(1, 2, 3) * k) for k in range(1, 5)]
        built = optimizer(weights, merge)
        for _ in range(3):
            sum((k * weight.square()).sum() for k, weight in enumerate(weights)).backward()
            built.step()
            built.zero_grad()
        outcomes.append([weight.detach() for weight in weights])
    assert [len(group["params"]) for group in built.param_groups] == [3, 1]
    assert all(map(torch.equal, *outcomes))
