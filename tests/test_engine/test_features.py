import pytest
import torch

from mmbnft.engine import execute
from mmbnft.engine import run as run_module

CROP = [dict(type="RandomResizedCrop", size=32)]


@pytest.fixture
def forwards(monkeypatch):
    """Counts the images that pass the backbone."""
    seen = []
    real = run_module.build_network

    def spy(*args):
        network = real(*args)
        network.backbone.wrapped.conv1.register_forward_hook(lambda _m, inputs, _o: seen.append(len(inputs[0])))
        return network

    monkeypatch.setattr(run_module, "build_network", spy)
    return seen


def test_linear_probing_passes_every_image_once(make_spec, make_recipe, options, forwards):
    execute(make_spec("linear", make_recipe(epochs=5, search=dict(lr=[0.01, 0.1]))), options)
    # train and val for the search, both again for the refit (another set), and test
    assert sum(forwards) == 64 + 32 + 96 + 45


def test_result_is_that_of_passing_the_images_every_epoch(make_spec, make_recipe, options, monkeypatch):
    spec = make_spec("linear", make_recipe(epochs=3, val_interval=1, fit_on="train"))
    cached = execute(spec, options)
    monkeypatch.setattr(run_module, "features_suffice", lambda *_: False)
    plain = execute(spec, options)
    assert cached.value == pytest.approx(plain.value, abs=100 / 45 + 1e-9)
    losses = [[entry["loss"] for entry in result.details["curve"]] for result in (cached, plain)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)
    assert cached.key == plain.key


@pytest.mark.parametrize("protocol", ["bn", "bn_stats", "linear_recalibrated", "linear_then_bn", "finetune"])
def test_protocols_that_change_the_backbone_see_the_images(make_spec, options, forwards, protocol):
    execute(make_spec(protocol), options)
    assert sum(forwards) > 2 * 96


def test_augmented_images_are_seen_anew_each_epoch(make_spec, make_recipe, options, forwards):
    execute(make_spec("linear", make_recipe(train_pipeline=CROP)), options)
    assert sum(forwards) > 2 * 96
    assert torch.is_grad_enabled()
