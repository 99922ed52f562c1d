import dataclasses

import numpy as np
import pytest
import torch
from mmselfsup.models.builder import build_backbone

from mmbnft.evaluation import loaded_network as network_module
from mmbnft.evaluation import run as run_module
from mmbnft.evaluation.folding import folded
from mmbnft.evaluation.run import execute

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
    # train and val for the search, the same for the refit, and test; one image three times to see what can be folded,
    # and once to count what it costs
    assert sum(forwards) == 64 + 32 + 45 + 3 + 1


def test_result_is_that_of_passing_the_images_every_epoch(make_spec, make_recipe, options, monkeypatch):
    spec = make_spec("linear", make_recipe(epochs=3, fit_on="train"))
    options = dataclasses.replace(options, val_interval=1)
    cached = execute(spec, options)
    monkeypatch.setattr(network_module, "features_suffice", lambda *_: False)
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


def test_runs_share_features_on_disk_and_results_stay_the_same(make_spec, make_recipe, options, tmp_path, extracted):
    cached = dataclasses.replace(options, cache=tmp_path / "cache")
    probed = make_recipe(probe=dict(solver="convex", weight_decays=[1.0, 0.1]))
    specs = [make_spec("linear", probed), make_spec("linear"), make_spec("knn"), make_spec("logme")]
    plain = [execute(spec, options).value for spec in specs]
    extracted.clear()
    assert [execute(spec, cached).value for spec in specs] == plain
    assert extracted == ["train", "val", "test"]
    assert [execute(spec, cached).value for spec in specs] == plain
    assert len(extracted) == 3


@pytest.mark.parametrize(
    "change",
    [
        dict(seed=1),
        dict(recipe=dict(test_pipeline=[dict(type="CenterCrop", size=24)])),
        dict(recipe=dict(normalisation=dict(mean=[0.5] * 3, std=[0.2] * 3))),
        dict(checkpoint="tiny-simclr"),
        dict(task=dict(type="drawn", family="textures", train_size=64, val_size=32, test_size=45)),
    ],
)
def test_whatever_changes_features_has_an_entry_of_its_own(
    make_spec, make_recipe, options, tmp_path, extracted, change
):
    cached = dataclasses.replace(options, cache=tmp_path / "cache")
    execute(make_spec("knn"), cached)
    change = dict(change)
    if "checkpoint" in change:
        model = make_spec().model
        change["model"] = model | {"backbone": model["backbone"] | dict(base_channels=16, stem_channels=16)}
    recipe = make_recipe(**change.pop("recipe", {}))
    spec = make_spec("knn", recipe, checkpoint=change.pop("checkpoint", "random"))
    execute(dataclasses.replace(spec, **change), cached)
    assert extracted == ["train", "val"] * 2


def test_folded_backbone_is_the_same_function_with_fewer_layers():
    torch.manual_seed(0)
    backbone = build_backbone(dict(type="ResNet", depth=50, base_channels=8, stem_channels=8, out_indices=[4]))
    for module in backbone.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(), module.running_var.uniform_(0.5, 2), module.weight.data.normal_()
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    images = torch.randn(3, 3, 64, 64)
    for dtype, accuracy in ((torch.float32, 1e-4), (torch.float64, 1e-10)):
        plain = backbone.to(dtype)
        plain.eval()
        inference = folded(plain, images[:1].to(dtype))
        expected, got = plain(images.to(dtype))[-1], inference(images.to(dtype))[-1]
        assert float((got - expected).abs().max() / expected.abs().max()) < accuracy
        assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in inference.modules())
    assert all(torch.equal(value.double(), before[name].double()) for name, value in backbone.state_dict().items())


class Branching(torch.nn.Module):
    """A convolution whose output is also used past its norm, which hooks do not see."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)

    def forward(self, images):
        made = self.conv(images)
        return self.norm(made) + made


def test_a_convolution_whose_output_goes_elsewhere_is_not_folded():
    torch.manual_seed(0)
    model = Branching().eval()
    model.norm.running_mean.fill_(3)
    images = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(folded(model, images[:1])(images), model(images))


def test_shared_and_statistics_free_norms_stay():
    conv, norm = torch.nn.Conv2d(3, 3, 1), torch.nn.BatchNorm2d(3)
    twice = torch.nn.Sequential(conv, norm, conv, norm).eval()
    free = torch.nn.Sequential(torch.nn.Conv2d(3, 3, 1), torch.nn.BatchNorm2d(3, track_running_stats=False)).eval()
    images = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 3, 4, 4)).astype("float32"))
    for model in (twice, free):
        torch.testing.assert_close(folded(model, images)(images), model(images))
        assert any(isinstance(module, torch.nn.BatchNorm2d) for module in folded(model, images).modules())
