import pytest
import torch
from protocol_networks import build
from torch import nn

from mmbnft.protocols import Phase, apply_phase, audit, snapshot
from mmbnft.utils.errors import UserError


class Trained:
    """A network after honest training under `bn_paper`-like rules, ready to be tampered with."""

    def __init__(self, phase):
        self.backbone, self.head = build("resnet18"), nn.Linear(4, 2)
        self.first_head = self.head.weight.detach().clone()
        self.applied = apply_phase(self.backbone, phase)
        self.before = snapshot(self.backbone, self.head)
        tensors = dict(self.backbone.named_parameters()) | dict(self.backbone.named_buffers())
        with torch.no_grad():
            for name in self.applied.trainable_names + self.applied.statistics_names:
                tensors[name].add_(1)
            self.head.weight.add_(1)

    def audit(self, **options):
        return audit(self.before, self.backbone, [self.applied], self.head, **options)


@pytest.fixture
def trained():
    return Trained(Phase("norm", norm_layers="paper", norm_stats="batch"))


def test_honest_training_passes(trained):
    report = trained.audit()
    report.raise_if_failed()
    assert report.ok
    assert set(report.moved) == {*trained.applied.trainable_names, *trained.applied.statistics_names}


@torch.no_grad()
def _one_ulp(network):
    weight = network.conv1.weight
    weight[0, 0, 0, 0] = torch.nextafter(weight[0, 0, 0, 0], weight.new_tensor(9.0))


@torch.no_grad()
def _minus_zero(network):
    network.layer1[0].bn1.bias.neg_()


def _frozen_statistics(network):
    network.layer1[0].bn1.running_var.mul_(1.0001)


def _frozen_counter(network):
    network.layer1[0].bn1.num_batches_tracked.add_(1)


def _other_type(network):
    network.conv1.weight.data = network.conv1.weight.data.float()


@pytest.mark.parametrize(
    ("tamper", "name"),
    [
        (_one_ulp, "conv1.weight"),
        (_minus_zero, "layer1.0.bn1.bias"),
        (_frozen_statistics, "layer1.0.bn1.running_var"),
        (_frozen_counter, "layer1.0.bn1.num_batches_tracked"),
        (_other_type, "conv1.weight"),
    ],
)
def test_any_change_of_a_frozen_tensor_is_found(trained, tamper, name):
    if tamper is _minus_zero:
        torch.nn.init.zeros_(trained.backbone.layer1[0].bn1.bias)
        trained.before = snapshot(trained.backbone, trained.head)
        assert f"{name} was frozen and changed" not in trained.audit().violations
    tamper(trained.backbone)
    assert f"{name} was frozen and changed" in trained.audit().violations


def _reset(trained, *names):
    fresh = build("resnet18").state_dict()
    with torch.no_grad():
        for name in names:
            trained.backbone.state_dict()[name].copy_(fresh[name])


def test_a_layer_that_did_not_train_is_found(trained):
    _reset(trained, "layer2.0.bn2.bias")
    report = trained.audit()
    assert report.ok
    assert report.unmoved == ("layer2.0.bn2.bias",)
    _reset(trained, "layer2.0.bn2.weight")
    assert trained.audit().violations == ("layer2.0.bn2 has parameters to train and none of them changed",)
    assert trained.audit(unused=["layer2.0.bn2.weight", "layer2.0.bn2.bias"]).ok


def test_statistics_that_did_not_move_are_found(trained):
    _reset(trained, "bn1.running_mean")
    assert trained.audit().ok
    _reset(trained, "bn1.running_var")  # the counter alone is no proof
    assert trained.audit().violations == ("bn1 has running statistics to move and they did not",)


def test_a_head_that_did_not_train_is_found(trained):
    with torch.no_grad():
        trained.head.weight.copy_(trained.first_head)
    assert trained.audit().violations == ("the head did not change",)
    assert audit(trained.before, trained.backbone, [trained.applied]).ok


def test_tensors_that_come_and_go_are_found(trained):
    trained.backbone.register_buffer("queue", torch.zeros(2))
    del trained.backbone.layer4[1].bn1._buffers["running_var"]
    assert trained.audit().violations == ("layer4.1.bn1.running_var has disappeared", "queue has appeared")


def test_phases_are_taken_together():
    trained = Trained(Phase("norm", norm_stats="batch"))
    trained.applied.restore()
    other = apply_phase(trained.backbone, Phase("stage:4", norm_stats="batch"))
    both = [trained.applied, other]
    report = audit(trained.before, trained.backbone, both, trained.head)
    assert all("layer4" in violation and "to train" in violation for violation in report.violations)
    assert not report.ok
    with torch.no_grad():
        for name, parameter in trained.backbone.named_parameters():
            if name in other.trainable_names:
                parameter.add_(1)
    assert audit(trained.before, trained.backbone, both, trained.head).ok
    assert not audit(trained.before, trained.backbone, both[:1], trained.head).ok


def test_failure_is_one_sentence(trained):
    with torch.no_grad():
        for parameter in trained.backbone.parameters():
            parameter.mul_(2)
    with pytest.raises(
        UserError, match=r"the audit found \d+ violation\(s\) .*conv1.weight was frozen.*; and \d+ more"
    ):
        trained.audit().raise_if_failed()


def test_nan_that_stays_is_no_change():
    network = nn.Linear(2, 2)
    torch.nn.init.constant_(network.weight, float("nan"))
    assert audit(snapshot(network), network, [apply_phase(network, Phase("head"))]).ok


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_types_layouts_and_empty_tensors(dtype):
    network = nn.Conv2d(2, 3, 3).to(dtype)
    network.register_buffer("nothing", torch.zeros(0, dtype=dtype))
    before = snapshot(network)
    network = network.to(memory_format=torch.channels_last)
    applied = apply_phase(network, Phase("head"))
    assert audit(before, network, [applied]).ok
    with torch.no_grad():
        network.bias[2] += 1
    assert audit(before, network, [applied]).violations == ("bias was frozen and changed",)


def test_misuse_is_refused(trained):
    with pytest.raises(UserError, match="needs a snapshot with it"):
        audit(snapshot(trained.backbone), trained.backbone, [trained.applied], trained.head)
    with pytest.raises(UserError, match="unused names parameters that the backbone does not have: mask_token"):
        trained.audit(unused=["mask_token"])
