"""Choosing on val: what made a search wrong, or lost it, in version 0.1.0."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from mmbnft.evaluation import single
from mmbnft.evaluation.arms.base import Arm, Prediction
from mmbnft.evaluation.choosing import run_arm
from mmbnft.evaluation.loaded_network import image_dataset
from mmbnft.evaluation.requirements import check_run
from mmbnft.evaluation.run import RunOptions, execute
from mmbnft.evaluation.run_spec import RunSpec
from mmbnft.evaluation.single import run_single
from mmbnft.evaluation.tracking import Tracking
from mmbnft.grid.plan import Benchmark, plan_runs
from mmbnft.protocols import AuditError
from mmbnft.tasks import ArrayImages, Task
from mmbnft.utils.errors import DivergedError, UserError
from mmbnft.zoo.certificate import ControlCertificate

TINY = dict(type="ResNet", depth=18, base_channels=4, stem_channels=4, out_indices=[4], norm_cfg=dict(type="BN"))
MODEL = dict(type="Classification", backbone=TINY, head=dict(type="BnftLinearHead"))
TASK = dict(type="drawn", family="shapes", train_size=64, val_size=32, test_size=45)
CROP = [dict(type="RandomResizedCrop", size=32)]


@pytest.fixture
def make_spec(make_recipe):
    def make(protocol="bn", **recipe):
        return RunSpec(MODEL, TASK, protocol, make_recipe(**{"epochs": 1} | recipe))

    return make


@pytest.fixture
def options(tmp_path):
    return RunOptions(tmp_path / "work", save_state=False)


class Fixed(Arm):
    """Candidates with the given (val, loss); None diverges."""

    def __init__(self, outcomes):
        super().__init__()
        self.outcomes, self.events = outcomes, []

    def candidates(self):
        return [{"lr": number} for number in range(len(self.outcomes))]

    def fit(self, candidate, split, turn=None):
        self.events.append((candidate["lr"], split))
        self.now = self.outcomes[candidate["lr"]]
        self.work.add(10, 100)
        if isinstance(self.now, Exception):
            raise self.now
        return {}

    def predict(self, split):
        self.events.append(split)
        return Prediction(*self.now)


def test_equal_trials_of_a_recalibrating_protocol_reach_the_same(make_spec, options):
    spec = make_spec("linear_recalibrated", search=dict(lr=[0.05, 0.05]), train_pipeline=CROP, epochs=2)
    first, second = execute(spec, options).details["search"]
    assert (first["val"], first["val_loss"]) == (second["val"], second["val_loss"])


def test_equal_val_is_told_apart_by_loss_and_the_result_says_so():
    outcome = run_arm(Fixed([(50.0, 0.9), (50.0, 0.4), (40.0, 0.1)]), lambda: None)
    assert outcome.chosen == {"lr": 1}
    assert outcome.details["ties"] == {"equal": 2, "broken_by": "val_loss"}
    same = run_arm(Fixed([(50.0, 0.4), (50.0, 0.4)]), lambda: None)
    assert (same.chosen, same.ties) == ({"lr": 0}, {"equal": 2, "broken_by": "order"})
    assert run_arm(Fixed([(50.0, 0.4), (60.0, 0.5)]), lambda: None).ties is None


def test_choosing_is_closed_between_the_refit_and_test():
    arm = Fixed([(50.0, 0.9), (60.0, 0.4)])
    run_arm(arm, lambda: arm.events.append("closed"))
    assert arm.events == [(0, "train"), "val", (1, "train"), "val", (1, "trainval"), "closed", "test"]


def test_a_trial_that_fails_its_audit_fails_alone_and_every_trial_s_work_counts():
    outcome = run_arm(Fixed([AuditError("bn1 did not move"), DivergedError("nan"), (10.0, 2.0)]), lambda: None)
    assert outcome.chosen == {"lr": 2}
    assert [entry.get("reason") for entry in outcome.search] == ["bn1 did not move", "nan", None]
    assert (outcome.work.images, outcome.work.multiply_adds) == (40, 400)
    with pytest.raises(DivergedError, match="every trial of the search failed; the last: nan"):
        run_arm(Fixed([DivergedError("nan")] * 2), lambda: None)


def test_a_step_too_small_for_float32_loses_the_search_not_the_run(make_spec, options):
    result = execute(make_spec("finetune", search=dict(lr=[1e-30, 0.01])), options)
    assert result.details["chosen"] == {"lr": 0.01}
    assert "the audit found" in result.details["search"][0]["reason"]


def test_images_of_a_diverged_trial_are_counted(make_spec, options):
    result = execute(make_spec("finetune", search=dict(lr=[1e30, 0.01]), epochs=2), options)
    diverged, finished = result.details["search"]
    assert diverged["val"] is None
    assert 0 < diverged["images"] <= finished["images"] == 2 * 64
    assert result.cost["images"] == diverged["images"] + finished["images"] + 2 * 96


def test_the_checkpoint_s_normalisation_follows_the_channels(shapes, make_recipe):
    certificate = ControlCertificate({"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.6, 0.7]}, "stated")
    rgb, bgr = (
        image_dataset(shapes, "train", make_recipe(channel_order=order), certificate)[0]["img"]
        for order in ("rgb", "bgr")
    )
    torch.testing.assert_close(bgr, rgb.flip(0))
    own = make_recipe(channel_order="bgr", normalisation=dict(mean=[0.1, 0.2, 0.3], std=[0.5, 0.6, 0.7]))
    assert image_dataset(shapes, "train", own, certificate).pipeline[-1]["mean"] == [0.1, 0.2, 0.3]


def labelled(val, *, metric="top1", multi_label=False):
    """A task of 4 images a split, whose val has the given labels."""
    other = np.array([[1, 0], [0, 1], [1, 0], [0, 1]]) if multi_label else np.array([0, 1, 0, 1])
    rng = np.random.default_rng(0)
    images = {name: rng.integers(0, 255, (4, 8, 8, 3), dtype=np.uint8) for name in ("train", "val", "test")}
    labels = {"train": other, "val": np.array(val), "test": other}
    splits = {name: ArrayImages(images[name], labels[name]) for name in images}
    return Task("mine", ("a", "b"), metric, splits, multi_label=multi_label)


def test_what_would_fail_after_training_is_refused_before(make_spec):
    multi = labelled([[1, 0], [0, 1], [1, 1], [0, 1]], metric="map11", multi_label=True)
    with pytest.raises(UserError, match="the score knn compares classes and is not defined where .*task mine; leave"):
        check_run(make_spec("knn"), multi)
    check_run(make_spec("bn"), multi)


def test_a_batch_of_one_image_is_refused_in_a_sentence(make_spec, options):
    with pytest.raises(UserError, match="a batch of 1 image has no batch statistics, which 20 norm layers need"):
        execute(make_spec("bn", batch_size=1), options)
    result = execute(make_spec("bn_frozen_stats", batch_size=1, epochs=None, steps=2), options)
    assert result.status == "ok"


def test_the_state_of_a_run_stays_until_its_result_is_written(make_spec, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("killed while writing")

    spec, tracking, how = make_spec("bn", epochs=3), Tracking(wandb="off"), RunOptions(tmp_path, resume=True)
    with monkeypatch.context() as patch:
        patch.setattr(single, "write_result", fail)
        with pytest.raises(OSError, match="killed"):
            run_single(spec, how, tracking)
    (state,) = tmp_path.glob("resume-*.pth")
    assert torch.load(state, weights_only=True)["position"]["epoch"] in (1, 2)
    steps = []
    real = single.execute

    def watched(spec, options):
        steps.append(options.resume)
        return real(spec, options)

    monkeypatch.setattr(single, "execute", watched)
    result, path = run_single(spec, how, tracking)
    assert steps == [True]
    assert Path(path).exists()
    assert len(result.details["curve"]) == 3
    assert not list(tmp_path.glob("resume-*.pth"))
    assert dataclasses.replace(result).shown_value == f"{result.value:.2f} %"


def test_a_plan_refuses_scores_on_a_multi_label_task(make_recipe):
    multi = labelled([[1, 0], [0, 1], [1, 1], [0, 1]], metric="map11", multi_label=True)
    grid = Benchmark("mine", MODEL, make_recipe(), ("random", "tiny-simclr"), (TASK,), ("linear", "knn"), target=None)
    with pytest.raises(UserError, match="the score knn compares classes"):
        plan_runs(grid, lambda config, split: multi)
