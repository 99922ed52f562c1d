import copy
import pickle

import pytest
import torch
from mmcv.runner.checkpoint import get_state_dict, load_state_dict
from mmselfsup.models.builder import build_algorithm, build_backbone

from mmbnft.models import ProtocolBackbone, find_protocol_backbone
from mmbnft.protocols import PRESETS
from mmbnft.utils.errors import UserError

TINY = dict(type="ResNet", depth=18, base_channels=8, stem_channels=8, out_indices=[4], norm_cfg=dict(type="BN"))


def wrapped(protocol="bn", **changes):
    return build_backbone(dict(type="ProtocolBackbone", protocol=protocol, backbone=dict(TINY, **changes)))


def plain():
    return build_backbone(dict(TINY))


def test_keys_and_order_are_those_of_the_backbone():
    assert list(wrapped().state_dict()) == list(plain().state_dict())
    assert [n for n, _ in wrapped().named_parameters()] == [n for n, _ in plain().named_parameters()]
    assert [n for n, _ in wrapped().named_buffers()] == [n for n, _ in plain().named_buffers()]


@pytest.mark.parametrize("save", [lambda m: m.state_dict(), get_state_dict])
def test_files_move_both_ways_through_torch_and_mmcv(save):
    source, target = wrapped(), plain()
    target.load_state_dict(save(source))
    source.eval()
    target.eval()
    inputs = torch.rand(2, 3, 32, 32)
    assert torch.equal(source(inputs)[0], target(inputs)[0])
    back = wrapped()
    load_state_dict(back, save(target), strict=True)
    assert torch.equal(back.eval()(inputs)[0], target(inputs)[0])


def test_output_is_the_backbones_own():
    inner = plain()
    wrapper = ProtocolBackbone(inner, "linear").eval()
    inputs = torch.rand(2, 3, 32, 32)
    assert torch.equal(wrapper(inputs)[0], inner(inputs)[0])
    assert wrapper.out_indices == [4]


def test_trainability_is_settled_at_construction_and_train_changes_modes_only():
    backbone = wrapped("bn_paper")
    flags = {n: p.requires_grad for n, p in backbone.named_parameters()}
    assert sum(flags.values()) == 2 * 9
    for mode in (True, False, True, True, False):
        backbone.train(mode)
        assert {n: p.requires_grad for n, p in backbone.named_parameters()} == flags
        assert backbone.layer1[0].bn2.training is mode
        assert backbone.layer1[0].bn1.training is False


def test_norm_eval_of_the_inner_network_does_not_win():
    backbone = wrapped("bn", norm_eval=True).train()
    assert backbone.bn1.training


def test_own_freezing_of_the_inner_network_is_refused():
    with pytest.raises(UserError, match="frozen_stages=2 of the backbone contradicts protocol 'bn'"):
        wrapped(frozen_stages=2)


def test_phases_are_entered_and_left():
    backbone = wrapped("linear_then_bn")
    assert not any(p.requires_grad for p in backbone.parameters())
    backbone.enter_phase(1)
    assert sum(p.requires_grad for p in backbone.parameters()) == 2 * 20
    backbone.leave_phase()
    assert all(p.requires_grad for p in backbone.parameters())
    with pytest.raises(UserError, match="has phases 0 to 1, got 2"):
        backbone.enter_phase(2)
    with pytest.raises(UserError, match="unknown protocol 'bnn'"):
        wrapped("bnn")


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_are_whole_and_independent(clone):
    original = wrapped("bn").train()
    twin = clone(original)
    with torch.no_grad():
        twin.bn1.weight.fill_(3.0)
    assert original.bn1.weight[0] == 1.0
    inputs = torch.rand(2, 3, 32, 32)
    assert not torch.equal(twin.eval()(inputs)[0], original.eval()(inputs)[0])
    assert twin.wrapped.bn1 is twin.bn1
    twin.train()
    assert twin.bn1.training


def test_conversions_reach_the_wrapped_backbone():
    backbone = wrapped().double().eval()
    assert backbone(torch.rand(1, 3, 32, 32, dtype=torch.float64))[0].dtype == torch.float64
    assert backbone.wrapped.conv1.weight is backbone.conv1.weight


@pytest.mark.parametrize("protocol", sorted(PRESETS))
def test_host_algorithm_takes_every_preset(protocol):
    head = dict(type="BnftLinearHead", in_channels=64, num_classes=3)
    backbone = dict(type="ProtocolBackbone", protocol=protocol, backbone=dict(TINY))
    model = build_algorithm(dict(type="Classification", backbone=backbone, head=head))
    model.init_weights()
    loss = model(torch.rand(4, 3, 32, 32), mode="train", label=torch.tensor([0, 1, 2, 0]))["loss"]
    loss.backward()
    assert all((p.grad is not None) == p.requires_grad for p in model.parameters())
    assert find_protocol_backbone(model).protocol.name == protocol
    assert set(model.forward_test(torch.rand(2, 3, 32, 32))) == {"head4"}


def test_find_refuses_a_model_without_a_wrapper():
    with pytest.raises(UserError, match="has 0 backbones of type ProtocolBackbone"):
        find_protocol_backbone(plain())


@pytest.mark.parametrize("saves_memory", [False, True])
def test_mixed_precision_multiplies_in_bfloat16_and_hands_out_float32(saves_memory):
    torch.manual_seed(0)
    exact = wrapped("bn_frozen_stats").train()  # batch statistics would amplify rounding
    exact.init_weights()
    mixed = copy.deepcopy(exact)
    mixed.precision, mixed.saves_memory = torch.bfloat16, saves_memory
    seen = []
    mixed.layer1[0].bn1.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].dtype))
    images = torch.randn(8, 3, 64, 64)
    gradients = []
    for network in (exact, mixed):
        (features,) = network(images)
        assert features.dtype == torch.float32
        features[:, ::2].square().mean().backward()
        norms = [p.grad for p in network.parameters() if p.grad is not None]
        assert all(gradient.dtype == torch.float32 for gradient in norms)
        gradients.append(torch.cat(norms))
    assert seen == [torch.bfloat16]
    assert all(value.dtype in (torch.float32, torch.int64) for value in mixed.state_dict().values())
    assert not torch.equal(*gradients)
    assert torch.nn.functional.cosine_similarity(*gradients, dim=0) > 0.99
