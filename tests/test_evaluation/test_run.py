import dataclasses
import itertools
from types import SimpleNamespace

import pytest
import torch
from mmcv.runner import Hook

from mmbnft.evaluation import run as run_module
from mmbnft.evaluation.arms import trained as trained_module
from mmbnft.evaluation.run import execute
from mmbnft.evaluation.training.loaders import EpochBatches
from mmbnft.hooks import ProgressHook
from mmbnft.results import read_result, write_result
from mmbnft.tasks import compute_metric
from mmbnft.utils.errors import UserError


def outcome(result):
    """A result without what time alone changes."""
    details = {k: v for k, v in result.details.items() if k not in ("curve", "search")}
    curve = [{k: v for k, v in entry.items() if k != "seconds"} for entry in result.details["curve"]]
    return result.value, result.key, details, curve, result.details["search"]


def test_equal_specs_give_equal_results(make_spec, options):
    first, second = execute(make_spec(), options), execute(make_spec(), options)
    assert outcome(first) == outcome(second)
    assert outcome(execute(make_spec(seed=1), options)) != outcome(first)


def test_result_holds_what_is_needed_to_repeat_and_to_judge_it(make_spec, make_recipe, options, tmp_path):
    result = execute(make_spec("bn_paper", make_recipe(search=dict(lr=[0.01, 0.1]))), options)
    details = result.details
    assert (result.checkpoint, result.task, result.protocol, result.status) == ("random", "shapes", "bn_paper", "ok")
    assert 0 <= result.value <= 100
    assert details["config"]["recipe"]["epochs"] == 2
    assert set(details["hashes"]["lists"]) == {"train", "val", "test"}
    assert details["trainable"][0]["values"] == 2 * (4 + 2 * 4 + 2 * 8 + 2 * 16 + 2 * 32)
    assert [entry["lr"] for entry in details["search"]] == [0.01, 0.1]
    assert details["fitted_on"] == "trainval"
    assert len(details["curve"]) == 2
    # two trials on 64 images, the refit on 96, two epochs each, batches of 16
    assert result.cost["images"] == 2 * 2 * 64 + 2 * 96
    assert result.cost["seconds"] > 0
    again = read_result(write_result(tmp_path, result))
    predictions = again.predictions
    assert predictions.scores.shape == (45, 8)
    assert compute_metric("top1", predictions.logits, predictions.labels) == again.value == result.value


def test_choice_is_made_on_val_and_test_is_read_once_at_the_end(make_spec, make_recipe, options, monkeypatch):
    read = []
    real = trained_module.predict

    def spy(model, dataset, *rest):
        read.append(dataset.split)
        return real(model, dataset, *rest)

    monkeypatch.setattr(trained_module, "predict", spy)
    recipe = make_recipe(search=dict(lr=[0.001, 0.1]))
    result = execute(make_spec("linear", recipe), dataclasses.replace(options, val_interval=1))
    assert read.count("test") == 1
    assert read[-1] == "test"
    best = max(result.details["search"], key=lambda entry: (entry["val"], -entry["val_loss"]))
    assert result.details["chosen"] == {"lr": best["lr"]}


def test_refit_on_trainval_is_not_watched_on_val(make_spec, make_recipe, options):
    options = dataclasses.replace(options, val_interval=1)
    refit = execute(make_spec("linear"), options)
    assert not any("val" in entry for entry in refit.details["curve"])
    on_train = execute(make_spec("linear", make_recipe(fit_on="train")), options)
    assert all("val" in entry for entry in on_train.details["curve"])


def test_head_is_the_same_whatever_the_backbone_drew(make_spec, options, monkeypatch):
    heads = []
    real = run_module.build_network

    def spy(spec, *rest):
        network = real(spec, *rest)
        heads.append(network.initial["head.fc_cls.weight"])
        return network

    monkeypatch.setattr(run_module, "build_network", spy)
    execute(make_spec("linear"), options)
    execute(make_spec("bn"), options)
    assert torch.equal(*heads)


def test_phases_have_their_own_epochs_and_rates(make_spec, make_recipe, options):
    result = execute(make_spec("linear_then_finetune", make_recipe(epochs=2)), options)
    curve = [(entry["phase"], entry["epoch"], round(entry["lr"], 6)) for entry in result.details["curve"]]
    assert curve == [(0, 1, 0.05), (0, 2, 0.05), (1, 1, 0.005), (1, 2, 0.005)]
    assert [part["percent"] for part in result.details["trainable"]] == [0.0, 100.0]


def test_a_diverging_trial_is_recorded_and_not_chosen(make_spec, make_recipe, options):
    recipe = make_recipe(search=dict(lr=[1e30, 0.01]), optimizer=dict(type="SGD", lr=0.1, momentum=0.9))
    result = execute(make_spec("finetune", recipe), options)
    assert result.details["search"][0]["val"] is None
    assert "lower the learning rate" in result.details["search"][0]["reason"]
    assert result.details["chosen"] == {"lr": 0.01}


def test_a_new_phase_closes_the_bar_of_one_that_broke_off():
    hook, runner = ProgressHook("visible"), SimpleNamespace(max_iters=4, iter=0)
    hook.before_run(runner)
    first = hook._bar
    hook.before_run(runner)
    assert not first.live.is_started
    assert hook._bar is not first
    hook.close()


def test_every_epoch_has_an_order_of_its_own(make_spec, make_recipe, options, monkeypatch):
    orders = []
    real = EpochBatches.__iter__

    def spy(self):
        batches = list(real(self))
        orders.append(batches)
        return iter(batches)

    monkeypatch.setattr(EpochBatches, "__iter__", spy)
    execute(make_spec("linear_then_bn", make_recipe(epochs=2)), options)
    assert len(orders) == 3  # one epoch of the first phase, two of the second
    assert all(a != b for a, b in itertools.combinations(orders, 2))


def test_a_run_that_diverges_altogether_is_one_sentence(make_spec, make_recipe, options):
    with pytest.raises(UserError, match="the loss is .* lower the learning rate"):
        execute(make_spec("finetune", make_recipe(optimizer=dict(type="SGD", lr=1e30))), options)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (dict(backbone=dict(type="ResNett")), "the model 'ResNett' cannot be built"),
        (dict(backbone=dict(type="ResNet", depth=17)), "the model 'ResNet' cannot be built"),
        (dict(type="Classificatino"), "the model 'Classificatino' cannot be built"),
    ],
)
def test_unbuildable_models_are_one_sentence(make_spec, options, model, message):
    spec = make_spec()
    with pytest.raises(UserError, match=message):
        execute(dataclasses.replace(spec, model=spec.model | model), options)


def test_unknown_optimiser_is_one_sentence(make_spec, make_recipe, options):
    with pytest.raises(UserError, match="the optimiser .*SDG.* cannot be built"):
        execute(make_spec("linear", make_recipe(optimizer=dict(type="SDG", lr=0.1))), options)


def test_recalibrated_protocol_runs(make_spec, options):
    assert execute(make_spec("linear_recalibrated"), options).status == "ok"


def test_saving_memory_reaches_the_backbone_and_changes_no_result(make_spec, make_recipe, options):
    class Watch(Hook):
        def before_run(self, runner):
            self.saves = runner.model.backbone.saves_memory

    values = {}
    for wanted in (False, True):
        watch = Watch()
        result = execute(
            make_spec("bn", make_recipe()), dataclasses.replace(options, save_memory=wanted, hooks=(watch,))
        )
        assert watch.saves is wanted
        values[wanted] = [result.value, *(entry["loss"] for entry in result.details["curve"])]
    assert values[True] == pytest.approx(values[False], rel=1e-4)
