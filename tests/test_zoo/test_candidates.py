"""Networks found by the names and shapes of a file's tensors."""

import pytest
import torch

from mmbnft.__main__ import main
from mmbnft.models.building import build_backbone
from mmbnft.models.configuration import model_of
from mmbnft.utils.errors import UserError
from mmbnft.zoo import resolve_checkpoint
from mmbnft.zoo.architecture import LibraryNetwork
from mmbnft.zoo.candidates import distinct
from mmbnft.zoo.conversion import verify
from mmbnft.zoo.library import library_layout
from mmbnft.zoo.sources import resolve

MODEL = {"type": "Classification", "head": {"type": "BnftLinearHead"}}


def empty_file(path, network, prefix="", **beside):
    """A file of a network's layout, values all zero and stored once, with a classifier beside them."""
    state = {
        prefix + name: torch.zeros((), dtype=spec.dtype).expand(spec.shape)
        for name, spec in library_layout(network).items()
    }
    head = {"timm": "head.weight", "torchvision": "heads.head.weight"}[network.library]
    torch.save({"state_dict": state | {prefix + head: torch.zeros(10, 4)}, **beside}, path)
    return str(path)


@pytest.mark.parametrize(
    ("network", "prefix"),
    [
        ("timm:vit_tiny_patch16_224", ""),
        ("timm:vit_small_patch14_dinov2", "module."),
        ("timm:vit_small_patch16_dinov3", "teacher.backbone."),
        ("timm:mobilenetv2_100", "module.module."),
        ("timm:convnext_tiny", "encoder."),
        ("torchvision:vit_b_32", ""),
    ],
)
def test_a_network_that_alone_fits_is_found(network, prefix, tmp_path):
    library, name = network.split(":")
    path = empty_file(tmp_path / "a.pth", LibraryNetwork(library, name), prefix)
    found = resolve_checkpoint(path)
    assert (str(found.architecture), found.architecture_known_from) == (network, "shapes")
    assert found.normalisation is None
    assert model_of(MODEL, found)["backbone"]["model_name"] == name


def test_networks_of_the_same_tensors_are_refused_with_their_names(tmp_path):
    path = empty_file(tmp_path / "lite.pth", LibraryNetwork("timm", "tf_efficientnet_lite0"))
    found = resolve_checkpoint(path)
    assert found.architecture is None
    sentence = "fits timm:efficientnet_lite0 and timm:tf_efficientnet_lite0, .*say which with --network"
    with pytest.raises(UserError, match=sentence):
        model_of(MODEL, found)
    with pytest.raises(UserError, match=sentence):
        verify(resolve(path))
    configured = {**MODEL, "backbone": {"type": "TIMMBackbone", "model_name": "efficientnet_lite0"}}
    assert model_of(configured, found) == configured  # a configuration says it as well
    stated = resolve_checkpoint(path, network="timm:efficientnet_lite0")
    assert stated.architecture_known_from == "stated"


def test_two_names_of_one_network_are_one():
    names = ("deit_tiny_patch16_224", "vit_tiny_patch16_224")
    assert [one.name for one in distinct([LibraryNetwork("timm", name) for name in names])] == [names[1]]


@pytest.mark.parametrize("change", ["arch", "less", "more"])
def test_what_does_not_fit_or_calls_itself_something_else_is_not_guessed(change, tmp_path):
    path = tmp_path / "a.pth"
    network = LibraryNetwork("timm", "vit_tiny_patch16_224")
    empty_file(path, network, **({"arch": "vit_tiny"} if change == "arch" else {}))
    if change != "arch":
        content = torch.load(path, weights_only=True)
        if change == "less":
            del content["state_dict"]["blocks.11.norm2.bias"]
        else:
            content["state_dict"]["blocks.3.gate"] = torch.zeros(3)
        torch.save(content, path)
    assert resolve_checkpoint(str(path)).architecture is None
    with pytest.raises(UserError):
        verify(resolve(str(path)))


@pytest.mark.parametrize("prefix", ["", "timm_model.", "module."])
@pytest.mark.parametrize("kind", ["TIMMBackbone", "mmcls.TIMMBackbone"])
def test_both_wrappers_of_timm_take_a_bare_file(kind, prefix, tmp_path):
    network = LibraryNetwork("timm", "mobilenetv2_100")
    config = {"type": kind, "model_name": network.name}
    state = {name: torch.rand(spec.shape) if spec.dtype == torch.float32 else torch.ones((), dtype=spec.dtype)
             for name, spec in library_layout(network).items()}  # fmt: skip
    torch.save({prefix + name: value for name, value in state.items()}, tmp_path / "a.pth")
    found = resolve_checkpoint(str(tmp_path / "a.pth"))
    model = model_of({**MODEL, "backbone": config}, found)
    assert model["backbone"] == config  # what a person configured stays
    backbone = build_backbone(config)
    certificate = found.load(backbone)
    assert (certificate.matched, certificate.missing) == (len(state), ())
    loaded = {name.removeprefix("timm_model."): value for name, value in backbone.state_dict().items()}
    assert all(torch.equal(loaded[name], value) for name, value in state.items())


def test_an_incomplete_file_is_held_against_the_network_that_it_nearly_is(tmp_path):
    path = empty_file(tmp_path / "a.pth", LibraryNetwork("timm", "vit_tiny_patch16_224"))
    content = torch.load(path, weights_only=True)
    del content["state_dict"]["blocks.11.norm2.bias"]
    torch.save(content, path)
    with pytest.raises(UserError, match=r"149 of 150 tensors match .*blocks.11.norm2.bias"):
        verify(resolve(path))


def test_pooling_is_that_of_the_fingerprint_and_no_matter_of_weights(tmp_path):
    path = empty_file(tmp_path / "a.pth", LibraryNetwork("timm", "vit_tiny_patch16_224"))
    content = torch.load(path, weights_only=True)["state_dict"]
    generator = torch.Generator().manual_seed(0)
    content = {name: 0.1 * torch.randn(value.shape, generator=generator) for name, value in content.items()}
    torch.save(content, path)
    found = {pooling: verify(resolve(path), pooling=pooling) for pooling in ("", "class", "mean")}
    assert found["mean"].architecture["pooling"] == "mean"
    assert found[""].fingerprint == found["class"].fingerprint != found["mean"].fingerprint
    assert main(["checkpoints", "convert", path, str(tmp_path / "out.pth"), "--pooling", "mean"]) == 2
    assert not (tmp_path / "out.pth").exists()


def test_a_network_without_tokens_is_not_pooled():
    with pytest.raises(UserError, match="has no tokens to pool; leave --pooling out"):
        verify(resolve("tiny-simclr"), pooling="mean")
