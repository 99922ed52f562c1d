"""Every group against a run of its own through the ordinary protocol code, in float64."""

import copy

import pytest
import torch
from protocol_networks import build
from torch import nn

from mmbnft.errors import UserError
from mmbnft.fewshot.grouped import GroupedAdapter
from mmbnft.models import ProtocolBackbone, pooled_features

GROUPS, IMAGES, CLASSES, STEPS = 3, 6, 3, 20
SGD = dict(type="SGD", lr=0.02, momentum=0.9, weight_decay=1e-3)
ADAM = dict(type="Adam", lr=3e-4, weight_decay=1e-3)


def _problem(groups=GROUPS, images=IMAGES, seed=3):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.stack([torch.randperm(images, generator=generator) % CLASSES for _ in range(groups)])
    pictures = torch.randn(groups, images, 3, 32, 32, generator=generator, dtype=torch.float64)
    return pictures + labels[:, :, None, None, None] * 0.3, labels


def _alone(network, protocol, images, labels, optimizer, batches=None, norm_stats=None):
    """One ordinary run; its backbone's state and its head."""
    backbone = ProtocolBackbone(copy.deepcopy(network), protocol)
    if norm_stats is not None:
        object.__setattr__(backbone.protocol.phases[0], "unused", None)
    head = nn.Linear(pooled_features(backbone.eval()(images[:1])).shape[1], CLASSES).double()
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    backbone.train()
    options = {key: value for key, value in optimizer.items() if key != "type"}
    trained = [*(p for p in backbone.parameters() if p.requires_grad), *head.parameters()]
    stepper = getattr(torch.optim, optimizer["type"])(trained, **options)
    for step in range(STEPS):
        chosen = slice(None) if batches is None else batches[step]
        stepper.zero_grad()
        nn.functional.cross_entropy(head(pooled_features(backbone(images[chosen]))), labels[chosen]).backward()
        stepper.step()
    return backbone.eval(), head


def _largest_difference(network, protocol, optimizer, groups=GROUPS, batches=None, rates=None):
    images, labels = _problem(groups)
    adapter = GroupedAdapter(network, protocol, groups, CLASSES)
    adapter.fit(images, labels, optimizer if rates is None else dict(optimizer, lr=rates), STEPS, batches)
    queries = _problem(groups, 4, seed=9)[0]
    logits, largest = adapter.predict(queries), 0.0
    for group in range(groups):
        own = optimizer if rates is None else dict(optimizer, lr=rates[group])
        rows = None if batches is None else batches[:, group]
        backbone, head = _alone(network, protocol, images[group], labels[group], own, rows)
        state, grouped = backbone.state_dict(), adapter.state(group)
        assert grouped.keys() == {
            key for key in state if key.rpartition(".")[0] in {name.rpartition(".")[0] for name in grouped}
        }
        pairs = [(grouped[key], state[key]) for key in grouped]
        pairs += [(adapter.head_weight[group], head.weight), (adapter.head_bias[group], head.bias)]
        pairs += [(logits[group], head(pooled_features(backbone(queries[group]))))]
        largest = max([largest, *((one - other).abs().max().item() for one, other in pairs)])
        moved = [key for key in grouped if not torch.equal(state[key], network.state_dict()[key])]
        assert bool(moved) == (protocol != "linear")
    return largest


@pytest.mark.parametrize("optimizer", [SGD, ADAM], ids=["SGD", "Adam"])
@pytest.mark.parametrize("protocol", ["linear", "bn", "bn_paper", "bn_frozen_stats", "bn_stats"])
def test_groups_end_where_runs_of_their_own_end(protocol, optimizer):
    assert _largest_difference(build("resnet18"), protocol, optimizer) < 1e-9


@pytest.mark.parametrize("name", ["resnet50", "resnet_v1d", "seresnet", "densenet", "mobilenet_v2"])
def test_other_networks(name):
    network = build(name)
    try:
        GroupedAdapter(network, "bn", 2, CLASSES)
    except UserError as error:
        pytest.skip(str(error))
    assert _largest_difference(network, "bn", dict(SGD, lr=0.005), groups=2) < 1e-9
