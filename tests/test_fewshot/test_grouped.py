"""Every group against a run of its own through the ordinary protocol code, in float64."""

import copy

import pytest
import torch
from protocol_networks import build
from torch import nn

from mmbnft.fewshot.grouped import GroupedAdapter, group_size
from mmbnft.models import ProtocolBackbone, pooled_features
from mmbnft.utils.errors import UserError

GROUPS, IMAGES, CLASSES, STEPS = 3, 6, 3, 20
SGD = dict(type="SGD", lr=0.02, momentum=0.9, weight_decay=1e-3)
ADAM = dict(type="Adam", lr=3e-4, weight_decay=1e-3)


def _problem(groups=GROUPS, images=IMAGES, seed=3):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.stack([torch.randperm(images, generator=generator) % CLASSES for _ in range(groups)])
    pictures = torch.randn(groups, images, 3, 32, 32, generator=generator, dtype=torch.float64)
    return pictures + labels[:, :, None, None, None] * 0.3, labels


def _alone(network, protocol, images, labels, optimizer, steps, batches=None):
    """One ordinary run; its backbone's state and its head."""
    backbone = ProtocolBackbone(copy.deepcopy(network), protocol)
    head = nn.Linear(pooled_features(backbone.eval()(images[:1])).shape[1], CLASSES).double()
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    backbone.train()
    options = {key: value for key, value in optimizer.items() if key != "type"}
    trained = [*(p for p in backbone.parameters() if p.requires_grad), *head.parameters()]
    stepper = getattr(torch.optim, optimizer["type"])(trained, **options)
    for step in range(steps):
        chosen = slice(None) if batches is None else batches[step]
        stepper.zero_grad()
        nn.functional.cross_entropy(head(pooled_features(backbone(images[chosen]))), labels[chosen]).backward()
        stepper.step()
    return backbone.eval(), head


def _largest_difference(network, protocol, optimizer, groups=2, steps=STEPS, batches=None, rates=None):
    images, labels = _problem(groups)
    adapter = GroupedAdapter(network, protocol, groups, CLASSES)
    adapter.fit(images, labels, optimizer if rates is None else dict(optimizer, lr=rates), steps, batches)
    queries = _problem(groups, 4, seed=9)[0]
    logits, largest = adapter.predict(queries), 0.0
    for group in range(groups):
        own = optimizer if rates is None else dict(optimizer, lr=rates[group])
        rows = None if batches is None else batches[:, group]
        backbone, head = _alone(network, protocol, images[group], labels[group], own, steps, rows)
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


def _fit(network, protocol="bn", seed=3, groups=GROUPS, steps=3, optimizer=SGD, **options):
    adapter = GroupedAdapter(network, protocol, groups, CLASSES, **options)
    adapter.fit(*_problem(groups, seed=seed), optimizer, steps)
    return adapter


@pytest.mark.parametrize(
    ("protocol", "optimizer"),
    [
        *((protocol, optimizer) for protocol in ("bn", "bn_paper", "bn_frozen_stats") for optimizer in (SGD, ADAM)),
        ("linear", SGD),
        ("bn_stats", ADAM),
    ],
)
def test_groups_end_where_runs_of_their_own_end(protocol, optimizer):
    assert _largest_difference(build("resnet18"), protocol, optimizer) < 1e-9


@pytest.mark.parametrize("name", ["resnet50", "resnet_v1d", "seresnet"])
def test_other_networks(name):
    assert _largest_difference(build(name), "bn", dict(SGD, lr=0.005), steps=5) < 1e-9


def test_bottlenecks_with_frozen_first_norms():
    assert _largest_difference(build("resnet50"), "bn_paper", dict(SGD, lr=0.005), groups=3) < 1e-9


def test_minibatches_and_a_rate_for_each_group():
    generator = torch.Generator().manual_seed(5)
    batches = torch.stack(
        [torch.stack([torch.randperm(IMAGES, generator=generator)[:4] for _ in range(2)]) for _ in range(8)]
    )
    rates = [0.02, 0.005]
    assert _largest_difference(build("resnet18"), "bn", SGD, 2, 8, batches, rates) < 1e-9
    assert _largest_difference(build("resnet18"), "bn_frozen_stats", ADAM, 2, 8, batches, [3e-4, 1e-5]) < 1e-9


def test_cumulative_statistics_follow_as_torchs():
    network = build("resnet18")
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    assert _largest_difference(network, "bn", SGD, steps=5) < 1e-9


def test_statistics_can_be_chosen_apart_from_the_protocol():
    network = build("resnet18")
    one, other = _fit(network, "bn", norm_stats="frozen"), _fit(network, "bn_frozen_stats")
    assert all(torch.equal(one.state(1)[key], other.state(1)[key]) for key in one.state(1))
    assert not torch.equal(one.head_weight, _fit(network, "bn").head_weight)


def test_the_backbone_is_left_as_it_was():
    network = build("resnet18")
    network.train()
    network.layer1.eval()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    layouts = [parameter.stride() for parameter in network.parameters()]
    _fit(network).predict(_problem()[0])
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert modes == [module.training for module in network.modules()]
    assert layouts == [parameter.stride() for parameter in network.parameters()]
    assert all(parameter.requires_grad and parameter.grad is None for parameter in network.parameters())
    assert all(module.inplace for module in network.modules() if isinstance(module, nn.ReLU))


def test_each_fit_starts_anew():
    adapter = _fit(build("resnet18"), seed=4)
    adapter.fit(*_problem(), SGD, 3)
    again = _fit(build("resnet18"))
    assert torch.equal(adapter.head_weight, again.head_weight)
    assert all(torch.equal(adapter.state(0)[key], again.state(0)[key]) for key in again.state(0))


def _wide():
    """Convolutions wide enough for libraries to compute few images in another way than many."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 64, 3, 8, 1), nn.BatchNorm2d(64), nn.ReLU(), nn.Conv2d(64, 64, 3, 2, 1), nn.BatchNorm2d(64)]
    return nn.Sequential(
        *layers, nn.ReLU(), nn.Conv2d(64, 128, 3, 1, 1), nn.BatchNorm2d(128), nn.Conv2d(128, 128, 3, 1, 1)
    )


@pytest.mark.parametrize("protocol", ["bn", "linear"])
@pytest.mark.parametrize(
    ("network", "groups"), [(build("resnet18").float(), GROUPS), (_wide(), 1)], ids=["resnet18", "wide"]
)
def test_a_query_does_not_depend_on_the_others(network, groups, protocol, monkeypatch):
    monkeypatch.setattr("mmbnft.fewshot.grouped._QUERY_ROWS", 3 * groups)
    adapter = _fit(network, protocol, groups=groups)
    queries = _problem(groups, 7, seed=8)[0].float()
    together = adapter.predict(queries)
    assert together.shape == (groups, 7, CLASSES)
    changed = queries.clone()
    changed[:, 1:] = 100.0
    assert torch.equal(adapter.predict(changed)[:, 0], together[:, 0])
    for count in (1, 2, 5):
        assert torch.equal(adapter.predict(queries[:, :count]), together[:, :count])
    order = [6, 2, 0, 5, 4, 1, 3]
    assert torch.equal(adapter.predict(queries[:, order]), together[:, order])


def test_a_group_that_diverges_harms_no_other():
    network = build("resnet18")
    images, labels = _problem()
    healthy, mixed = (GroupedAdapter(network, "bn", GROUPS, CLASSES) for _ in range(2))
    healthy.fit(images, labels, SGD, 4)
    broken = images.clone()
    broken[1] = float("nan")
    mixed.fit(broken, labels, SGD, 4)
    queries = _problem(seed=6)[0]
    scores = mixed.predict(queries)
    assert scores[1].isnan().all()
    assert torch.equal(scores[::2], healthy.predict(queries)[::2])


def test_what_is_frozen_below_is_evaluated_once_and_once_for_shared_images():
    network = build("resnet18")
    adapter = GroupedAdapter(network, "bn", GROUPS, CLASSES)
    seen = []
    adapter.network.prefix.conv1.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
    assert [name for name, _ in adapter.network.prefix.named_children()] == ["conv1"]
    images, labels = _problem()
    adapter.fit(images, labels, SGD, 4)
    assert seen == [GROUPS * IMAGES]
    shared = images[:1].expand(GROUPS, -1, -1, -1, -1)
    adapter.fit(shared, labels, SGD, 4)
    assert seen == [GROUPS * IMAGES, IMAGES]
    state = adapter.state(2)
    adapter.fit(shared.contiguous(), labels, SGD, 4)
    assert all(torch.allclose(state[key], adapter.state(2)[key], rtol=0, atol=1e-12) for key in state)


def test_linear_probing_needs_the_network_once():
    adapter = GroupedAdapter(build("resnet18"), "linear", GROUPS, CLASSES)
    assert not list(adapter.network.suffix.children())


class _Small(nn.Module):
    """A network with a layer of choice between a norm layer and the output."""

    def __init__(self, layer, track=True):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=track)
        self.layer = layer

    def forward(self, images):
        return self.layer(self.norm(self.conv(images)))


class _Branching(_Small):
    def forward(self, images):
        maps = self.norm(self.conv(images))
        return maps if maps.mean() > 0 else self.layer(maps)


class _Flattening(_Small):
    def forward(self, images):
        return self.norm(self.conv(images)).flatten(1)


def test_dropout_is_refused_where_it_would_drop_and_dropped_where_not():
    with pytest.raises(UserError, match="its layer layer is of type Dropout"):
        GroupedAdapter(_Small(nn.Dropout(0.5)), "bn", 2, CLASSES)
    for layer, protocol in ((nn.Dropout(0.0), "bn"), (nn.Dropout(0.5), "linear")):
        GroupedAdapter(_Small(layer), protocol, 2, CLASSES).fit(
            torch.rand(2, 3, 3, 8, 8), torch.ones(2, 3).long(), SGD, 1
        )


def test_a_relu_is_fused_only_where_nothing_else_reads_the_norm_layer():
    class Twice(_Small):
        def forward(self, images):
            maps = self.norm(self.conv(images))
            return self.layer(maps) + maps

    torch.manual_seed(0)
    assert _largest_difference(Twice(nn.ReLU(inplace=False)).double(), "bn", dict(SGD, lr=0.1)) < 1e-12


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (_Small(nn.Softmax(1)), "layer is of type Softmax"),
        (_Small(nn.GroupNorm(2, 4)), "layer is of type GroupNorm"),
        (_Small(nn.Identity(), track=False), "norm is of type BatchNorm2d"),
        (_Branching(nn.ReLU()), "_Branching cannot be traced"),
        (_Flattening(nn.ReLU()), "its forward function uses flatten"),
        (build("densenet"), "its forward function calls cat"),
    ],
)
def test_networks_beyond_it_are_refused(network, message):
    with pytest.raises(UserError, match=f"many groups at once, because .*{message}.*; adapt one at a time"):
        GroupedAdapter(network, "bn", 2, CLASSES)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(protocol="finetune"), "'finetune' cannot be run for many groups"),
        (dict(protocol="linear_then_bn"), "only protocols of one phase"),
        (dict(norm_stats="recalibrate"), "choose frozen or batch"),
        (dict(norm_stats="mine"), "norm_stats of a phase must be one of"),
        (dict(groups=0), "1 or more"),
    ],
)
def test_arguments_beyond_it_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        GroupedAdapter(**(dict(backbone=build("resnet18"), protocol="bn", groups=2, classes=3) | options))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(images=torch.rand(3, 6, 3, 32, 32)), r"images must be \(2, M, 3, H, W\)"),
        (dict(labels=torch.zeros(2, 5).long()), r"labels must be int64 \(2, 6\)"),
        (dict(labels=torch.full((2, 6), 3)), "labels must lie in 0 to 2, got 3 to 3"),
        (dict(steps=0), "steps must be 1 or more"),
        (dict(batches=torch.zeros(2, 2, 3).long()), r"batches must be \(1, 2, B\)"),
        (dict(batches=torch.full((1, 2, 3), 6)), "image numbers from 0 to 5"),
        (dict(batches=torch.zeros(1, 2, 1).long()), "one value per channel"),
        (dict(optimizer=dict(type="LBFGS", lr=1.0)), "one of Adam, AdamW, SGD, .* got 'LBFGS'"),
        (dict(optimizer=dict(type="SGD")), "lr must be finite"),
        (dict(optimizer=dict(type="SGD", lr=[0.1])), "lr must be one number or 2"),
        (dict(optimizer=dict(type="SGD", lr=0.1, speed=1)), "cannot be built"),
    ],
)
def test_bad_input_to_fit_is_refused(options, message):
    images, labels = _problem(2)
    adapter = GroupedAdapter(build("resnet18"), "bn", 2, CLASSES)
    arguments = dict(images=images, labels=labels, optimizer=SGD, steps=1) | options
    with pytest.raises(UserError, match=message):
        adapter.fit(**arguments)
    with pytest.raises(UserError, match="call fit first"):
        adapter.predict(images)


def test_group_size_shrinks_with_the_work_of_a_group():
    sizes = [group_size(images, size, size) for images, size in ((5, 32), (25, 32), (25, 84), (25, 224), (1000, 224))]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[2] > 1
    assert sizes[-1] == 1
    assert group_size(25, 84, 84, "cuda") > group_size(25, 84, 84)
