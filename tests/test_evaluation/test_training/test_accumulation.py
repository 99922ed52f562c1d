"""A step in parts against the plain step, in float64."""

import dataclasses

import pytest
import torch

from mmbnft.evaluation.run import execute
from mmbnft.evaluation.training.accumulation import MicroBatches


class Model(torch.nn.Module):
    """Enough of a host algorithm: `train_step` on a network with or without batch statistics."""

    def __init__(self, batch_statistics):
        super().__init__()
        torch.manual_seed(0)
        self.net = torch.nn.Sequential(
            torch.nn.Conv2d(3, 4, 3),
            torch.nn.BatchNorm2d(4),
            torch.nn.ReLU(),
            torch.nn.Flatten(),
            torch.nn.Linear(64, 5),
        ).double()
        self.net[1].train(batch_statistics)
        self.sizes = []

    def train_step(self, data, optimizer):
        self.sizes.append(len(data["img"]))
        loss = torch.nn.functional.cross_entropy(self.net(data["img"]), data["label"])
        return {"loss": loss, "log_vars": {"loss": loss.item()}, "num_samples": len(data["img"])}


def batch(size):
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(size, 3, 6, 6, generator=generator, dtype=torch.float64)
    return {"img": images, "label": torch.arange(size) % 5, "idx": torch.arange(size)}


def step(size, parts, batch_statistics=False):
    model = Model(batch_statistics)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    if parts:
        outputs = MicroBatches(optimizer, parts)(model, batch(size), train_mode=True)
    else:
        outputs = model.train_step(batch(size), optimizer)
        outputs["loss"].backward()
    return model, outputs, [p.grad.clone() for p in model.parameters()]


@pytest.mark.parametrize(
    ("size", "parts", "sizes"), [(16, 4, [4] * 4), (10, 4, [3, 3, 2, 2]), (5, 4, [3, 2]), (1, 4, [1])]
)
def test_with_frozen_statistics_parts_are_the_plain_step(size, parts, sizes):
    _, plain, expected = step(size, 0)
    model, outputs, gradients = step(size, parts)
    assert model.sizes == sizes
    for found, wanted in zip(gradients, expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-14)
    assert outputs["log_vars"]["loss"] == pytest.approx(plain["log_vars"]["loss"], rel=1e-12)
    assert outputs["num_samples"] == size


def test_batch_statistics_are_those_of_the_parts():
    *_, expected = step(16, 0, batch_statistics=True)
    *_, gradients = step(16, 4, batch_statistics=True)
    assert not torch.allclose(gradients[0], expected[0], rtol=1e-3)


def test_gradients_of_the_step_before_do_not_linger():
    model = Model(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    take = MicroBatches(optimizer, 2)
    take(model, batch(8), train_mode=True)
    first = [p.grad.clone() for p in model.parameters()]
    take(model, batch(8), train_mode=True)
    assert all(torch.equal(p.grad, g) for p, g in zip(model.parameters(), first, strict=True))


def test_a_run_in_parts_equals_the_plain_run_and_says_what_it_did(make_spec, make_recipe, options):
    recipe = make_recipe(
        grad_clip=dict(max_norm=0.5), lr_config=dict(policy="CosineAnnealing", min_lr=0.0, by_epoch=False)
    )
    spec = make_spec("bn_frozen_stats", recipe)
    plain = execute(spec, options)
    parts = execute(spec, dataclasses.replace(options, accumulation=4))
    assert (plain.details["accumulation"], parts.details["accumulation"]) == (1, 4)
    assert parts.key == plain.key
    assert [e["lr"] for e in parts.details["curve"]] == [e["lr"] for e in plain.details["curve"]]
    losses = [[e["loss"] for e in result.details["curve"]] for result in (parts, plain)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert parts.cost["images"] == plain.cost["images"]
