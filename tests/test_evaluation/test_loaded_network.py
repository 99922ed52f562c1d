"""Images and head as a recipe wants them."""

import numpy as np
import pytest
import torch

from mmbnft.evaluation import run as run_module
from mmbnft.evaluation.loaded_network import build_network, image_dataset
from mmbnft.evaluation.run import execute
from mmbnft.tasks import ArrayImages, Task, build_task
from mmbnft.utils.errors import UserError
from mmbnft.zoo.certificate import ControlCertificate

CERTIFICATE = ControlCertificate({"mean": [0.5, 0.25, 0.125], "std": [0.5, 0.25, 0.125]}, "stated")
UNTOLD = ControlCertificate(None, "")
RGB = (51, 102, 204)  # 0.2, 0.4, 0.8


@pytest.fixture
def plain():
    """Images of one colour."""
    pixels = np.full((2, 4, 4, 3), RGB, np.uint8)
    images = ArrayImages(pixels, np.array([0, 1]))
    return Task("plain", ("a", "b"), "top1", dict.fromkeys(("train", "val", "test"), images))


def colour(task, recipe, certificate=CERTIFICATE):
    image = image_dataset(task, "train", recipe, certificate)[0]["img"]
    assert image.shape == (3, 4, 4)
    return image[:, 0, 0].tolist()


def test_the_checkpoint_normalises_unless_the_recipe_does(plain, make_recipe):
    assert colour(plain, make_recipe()) == pytest.approx([(0.2 - 0.5) / 0.5, (0.4 - 0.25) / 0.25, 0.675 / 0.125])
    assert colour(plain, make_recipe(), UNTOLD) == pytest.approx([0.2, 0.4, 0.8])
    own = make_recipe(normalisation=dict(mean=[0.1, 0.2, 0.3], std=[0.1, 0.2, 0.5]))
    for certificate in (CERTIFICATE, UNTOLD):
        assert colour(plain, own, certificate) == pytest.approx([1.0, 1.0, 1.0])


def test_reversed_channels_meet_the_statistics_by_position(plain, make_recipe):
    recipe = make_recipe(channel_order="bgr", normalisation=dict(mean=[0.1, 0.2, 0.3], std=[0.1, 0.2, 0.5]))
    assert colour(plain, recipe) == pytest.approx([(0.8 - 0.1) / 0.1, (0.4 - 0.2) / 0.2, (0.2 - 0.3) / 0.5])
    assert colour(plain, make_recipe(channel_order="bgr"), UNTOLD) == pytest.approx([0.8, 0.4, 0.2])


def test_reversing_channels_is_no_random_draw(plain, make_recipe):
    assert image_dataset(plain, "train", make_recipe(channel_order="bgr"), CERTIFICATE, 0).is_static


def test_a_training_seed_asks_for_training_transforms(plain, make_recipe):
    recipe = make_recipe(train_pipeline=[dict(type="Resize", size=8)], test_pipeline=[dict(type="Resize", size=6)])
    assert image_dataset(plain, "train", recipe, CERTIFICATE, 0)[0]["img"].shape == (3, 8, 8)
    assert image_dataset(plain, "train", recipe, CERTIFICATE)[0]["img"].shape == (3, 6, 6)


def test_image_settings_change_what_a_run_sees(make_spec, make_recipe, options):
    base = dict(epochs=1)
    changes = [{}, dict(channel_order="bgr"), dict(normalisation=dict(mean=[0.9] * 3, std=[0.1] * 3))]
    losses = [
        execute(make_spec("bn", make_recipe(**base, **change)), options).details["curve"][0]["loss"]
        for change in changes
    ]
    assert len(set(losses)) == 3


def test_bfloat16_is_refused_on_a_cpu_and_reaches_the_backbone_elsewhere(make_spec, make_recipe, options):
    spec = make_spec("bn", make_recipe(precision="bfloat16"))
    task = build_task(spec.task, 0)
    with pytest.raises(UserError, match="precision of recipe 'test' is bfloat16, .*set precision='float32', or run it"):
        build_network(spec, task, torch.device("cpu"))
    # The one device besides the CPU that is everywhere; it computes nothing.
    network = build_network(spec, task, torch.device("meta"))
    assert network.backbone.precision == torch.bfloat16


@pytest.mark.parametrize("protocol", ["linear", "bn"])
def test_the_heads_norm_trains_in_every_protocol(make_spec, make_recipe, options, monkeypatch, protocol):
    built = []

    def spy(*args):
        built.append(build_network(*args))
        return built[-1]

    monkeypatch.setattr(run_module, "build_network", spy)
    execute(make_spec(protocol, make_recipe(norm_before_classifier=True)), options)
    norm, initial = built[0].model.head.norm, built[0].initial
    assert isinstance(norm, torch.nn.BatchNorm1d)
    assert norm.num_batches_tracked == 12  # two epochs of six steps
    for name in ("weight", "bias", "running_mean", "running_var"):
        assert not torch.equal(getattr(norm, name), initial[f"head.norm.{name}"]), name


def test_every_trial_starts_with_a_fresh_norm_in_the_head(make_spec, make_recipe, options):
    search = dict(lr=[0.05, 0.05])
    result = execute(make_spec("bn", make_recipe(norm_before_classifier=True, search=search)), options)
    assert result.details["search"][0]["val"] == result.details["search"][1]["val"]


def test_without_the_setting_there_is_no_norm_in_the_head(make_spec, make_recipe, options):
    device = torch.device("cpu")
    spec = make_spec("bn", make_recipe())
    network = build_network(spec, run_module.build_task(spec.task, 0), device)
    assert not [name for name in network.initial if name.startswith("head.norm")]
