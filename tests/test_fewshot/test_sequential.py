import copy

import pytest
import torch
from mmselfsup.models.builder import build_backbone

from mmbnft.fewshot.sequential import SequentialAdapter
from mmbnft.models import pooled_features
from mmbnft.utils.errors import UserError

SGD = dict(type="SGD", lr=0.05, momentum=0.9)


@pytest.fixture
def backbone():
    torch.manual_seed(0)
    config = dict(type="ResNet", depth=18, base_channels=4, stem_channels=4, out_indices=[4], norm_cfg=dict(type="BN"))
    network = build_backbone(config)
    network.init_weights()
    network.double()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    network.train(False)
    return network


@pytest.fixture
def episodes():
    torch.manual_seed(1)
    labels = torch.arange(3).repeat_interleave(2).expand(2, -1).contiguous()
    return torch.randn(2, 6, 3, 16, 16).double(), labels, torch.randn(2, 5, 3, 16, 16).double()


def by_hand(backbone, train, batch_stats, support, labels, queries, steps, batches=None):
    """The same with nothing of this project but the pooling: a copy, explicit flags and modes, torch's SGD."""
    network, head = copy.deepcopy(backbone), torch.nn.Linear(32, 3).double()
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.zeros_(head.bias)
    network.train(batch_stats)
    for module in network.modules():
        for parameter in module.parameters(recurse=False):
            parameter.requires_grad_(train == "all" or isinstance(module, torch.nn.BatchNorm2d))
    trained = [p for p in network.parameters() if p.requires_grad]
    updater = torch.optim.SGD([*trained, *head.parameters()], lr=0.05, momentum=0.9)
    for step in range(steps):
        chosen = torch.arange(len(labels)) if batches is None else batches[step]
        loss = torch.nn.functional.cross_entropy(head(pooled_features(network(support[chosen]))), labels[chosen])
        updater.zero_grad()
        loss.backward()
        updater.step()
    network.train(False)
    with torch.no_grad():
        return head(pooled_features(network(queries)))


@pytest.mark.parametrize(
    ("protocol", "stats", "train"),
    [("bn", "frozen", "norm"), ("bn", None, "norm"), ("finetune", "frozen", "all"), ("finetune", "batch", "all")],
)
def test_each_episode_is_adapted_as_by_hand(protocol, stats, train, backbone, episodes):
    support, labels, queries = episodes
    adapter = SequentialAdapter(backbone, protocol, 2, 3, norm_stats=stats)
    adapter.fit(support, labels, SGD, steps=6)
    scores = adapter.predict(queries)
    for group in range(2):
        expected = by_hand(backbone, train, stats != "frozen", support[group], labels[group], queries[group], 6)
        assert torch.allclose(scores[group], expected, rtol=0, atol=1e-10)
    assert scores.abs().max() > 0.01


def test_batches_are_followed(backbone, episodes):
    support, labels, queries = episodes
    batches = torch.stack([torch.randint(0, 6, (2, 3)) for _ in range(5)])
    adapter = SequentialAdapter(backbone, "bn", 2, 3, norm_stats="frozen")
    adapter.fit(support, labels, SGD, 5, batches)
    expected = by_hand(backbone, "norm", False, support[1], labels[1], queries[1], 5, batches[:, 1])
    assert torch.allclose(adapter.predict(queries)[1], expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("protocol", ["bn", "finetune", "linear", "bn_paper", "partial:4"])
@pytest.mark.parametrize("stats", ["frozen", "batch", "recalibrate"])
def test_the_backbone_comes_back_as_it_was(protocol, stats, backbone, episodes):
    support, labels, queries = episodes
    before = copy.deepcopy(backbone.state_dict())
    flags = [p.requires_grad for p in backbone.parameters()]
    adapter = SequentialAdapter(backbone, protocol, 2, 3, norm_stats=stats)
    adapter.fit(support, labels, SGD, 2)
    first = adapter.predict(queries)
    assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())
    assert [p.requires_grad for p in backbone.parameters()] == flags
    assert not any(module.training for module in backbone.modules())
    assert all(p.grad is None for p in backbone.parameters())
    adapter.fit(support, labels, SGD, 2)
    assert torch.equal(adapter.predict(queries), first)


def test_recalibration_takes_the_statistics_of_the_support_set(backbone, episodes):
    support, labels, queries = episodes
    seen = []
    backbone.bn1.register_forward_hook(lambda m, i, o: seen.append((m.training, m.running_mean.clone())))
    adapter = SequentialAdapter(backbone, "linear", 2, 3, norm_stats="recalibrate")
    adapter.fit(support, labels, SGD, 1)
    seen.clear()
    adapter.predict(queries)
    for group, (training, mean) in enumerate(seen):
        assert not training
        outputs = torch.nn.functional.conv2d(support[group], backbone.conv1.weight, stride=2, padding=3)
        assert torch.allclose(mean, outputs.mean((0, 2, 3)))


def test_protocols_of_several_phases_are_refused(backbone):
    with pytest.raises(UserError, match="protocol 'linear_then_bn' has 2 phases; episodes take protocols of one phase"):
        SequentialAdapter(backbone, "linear_then_bn", 1, 3)
