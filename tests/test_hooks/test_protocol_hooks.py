from types import SimpleNamespace

import pytest
import torch
from mmcv.runner import HOOKS, Hook
from mmcv.utils import build_from_cfg

from mmbnft.hooks import FiniteLossHook, ProtocolAuditHook, ProtocolHook
from mmbnft.utils.errors import UserError


class Spoiler(Hook):
    """Does to the model what a careless plugin might."""

    def __init__(self, spoil):
        self.spoil = spoil

    def after_train_epoch(self, runner):
        with torch.no_grad():
            self.spoil(runner.model)


@pytest.mark.parametrize("protocol", ["linear", "bn", "bn_paper", "bn_frozen_stats", "bn_stats", "finetune"])
def test_a_run_that_keeps_its_protocol_passes_the_audit(start, small_model, protocol):
    hook = ProtocolAuditHook()
    start(small_model(protocol), [(ProtocolHook(), "NORMAL"), (hook, "NORMAL")])
    assert hook.report is not None
    assert hook.report.ok


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda m: m.backbone.conv1.weight.add_(1e-6), "conv1.weight was frozen and changed"),
        (lambda m: m.backbone.layer1[0].bn1.running_mean.add_(1.0), "layer1.0.bn1.running_mean was frozen and changed"),
        (lambda m: m.backbone.layer1[0].bn1.num_batches_tracked.add_(1), "num_batches_tracked was frozen and changed"),
    ],
)
def test_the_audit_finds_what_moved_though_frozen(start, small_model, spoil, named):
    with pytest.raises(UserError, match=named):
        start(small_model("bn_paper"), [(ProtocolAuditHook(), "NORMAL"), (Spoiler(spoil), "NORMAL")])


def test_the_audit_finds_what_did_not_move(start, small_model):
    with pytest.raises(UserError, match="has parameters to train and none of them changed"):
        start(small_model("bn_frozen_stats"), [(ProtocolAuditHook(), "NORMAL")], lr=0.0)


def test_a_lenient_audit_only_reports(start, small_model):
    hook = ProtocolAuditHook(strict=False)
    start(small_model("bn_frozen_stats"), [(hook, "NORMAL")], lr=0.0)
    assert not hook.report.ok


def test_an_optimiser_that_lacks_parameters_is_refused_before_the_first_step(start, small_model):
    model = small_model("bn")
    with pytest.raises(UserError, match=r"the optimiser lacks 40 parameters .* e\.g\. backbone\.bn1\.weight"):
        start(model, [(ProtocolHook(), "NORMAL")], parameters=model.head.parameters())


def test_the_protocol_is_taken_back_after_the_run(start, small_model):
    model = small_model("linear")
    start(model, [(ProtocolHook(), "NORMAL")])
    assert all(p.requires_grad for p in model.parameters())
    kept = small_model("linear")
    start(kept, [(ProtocolHook(restore=False), "NORMAL")])
    assert not any(p.requires_grad for p in kept.backbone.parameters())


def test_recalibration_happens_once_on_the_training_images(start, small_model):
    model = small_model("linear_recalibrated")
    before = model.backbone.bn1.running_mean.clone()
    start(model, [(ProtocolHook(), "NORMAL"), (ProtocolAuditHook(), "NORMAL")])
    assert not torch.equal(model.backbone.bn1.running_mean, before)
    # two batches of 32 at the start of the first epoch, none in the second
    assert model.backbone.bn1.num_batches_tracked == 2


def test_nan_loss_stops_the_run_before_the_step(start, small_model):
    model = small_model("linear")
    with torch.no_grad():
        model.head.fc_cls.weight.fill_(float("nan"))
    with pytest.raises(UserError, match="the loss is nan in epoch 1, step 1; lower the learning rate"):
        start(model, [(FiniteLossHook(), "VERY_HIGH")])


def test_a_loss_that_only_another_process_cannot_have_stops_this_one_too():
    outputs = dict(loss=torch.tensor(1.0), log_vars=dict(loss=float("inf")))  # the second is the mean over processes
    with pytest.raises(UserError, match="the loss is inf in epoch 3, step 1"):
        FiniteLossHook().after_train_iter(SimpleNamespace(outputs=outputs, epoch=2, inner_iter=0))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (dict(type="ProtocolHook", restore="yes"), "restore of ProtocolHook must be True or False, got 'yes'"),
        (dict(type="ProtocolAuditHook", strict=1), "strict of ProtocolAuditHook"),
        (dict(type="BnftWandbHook", mode="cloud"), "unknown W&B mode 'cloud'; allowed: auto, off, offline, online"),
        (dict(type="BnftWandbHook", interval=0), "interval of BnftWandbHook"),
        (dict(type="ResultHook", out="x", test=dict(split="val"), checkpoint="c"), "test of ResultHook must be"),
        (dict(type="ProgressHook", label=3), "label of ProgressHook"),
    ],
)
def test_wrong_arguments_are_refused_by_constructors(config, message):
    with pytest.raises(UserError, match=message):
        build_from_cfg(config, HOOKS)


def test_misspelt_options_are_errors():
    with pytest.raises(TypeError, match="strickt"):
        build_from_cfg(dict(type="ProtocolAuditHook", strickt=True), HOOKS)
