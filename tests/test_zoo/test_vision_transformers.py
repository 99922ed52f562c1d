"""Vision transformers in the names of their authors' files, against timm's own conversion of them."""

import importlib
import json

import pytest
import timm
import torch
from safetensors.torch import save_file

from mmbnft.utils.errors import UserError
from mmbnft.zoo import resolve_checkpoint
from mmbnft.zoo.architecture import LibraryNetwork
from mmbnft.zoo.library import build_library_network
from mmbnft.zoo.loading import load_source
from mmbnft.zoo.sources import resolve

# Networks of a real family, built small: the names are what counts.
SMALL = dict(img_size=28, patch_size=14, embed_dim=16, depth=4, num_heads=2)


@pytest.fixture
def small(monkeypatch):
    """Lets two of timm's networks be built with few values."""
    whole = timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda name, **settings: whole(name, **(SMALL | settings)))
    from mmbnft.zoo.library import library_layout

    library_layout.cache_clear()
    yield
    library_layout.cache_clear()


def original(name, registers):
    """Random weights in Meta's names for timm's network, as drawn by its layout."""
    torch.manual_seed(0)
    state = {}
    for key, value in build_library_network(LibraryNetwork("timm", name)).state_dict().items():
        state[key.replace("gamma_1", "ls1.gamma").replace("gamma_2", "ls2.gamma")] = torch.randn_like(value)
    width = SMALL["embed_dim"]
    state["mask_token"] = torch.randn(1, width)
    if registers == "register_tokens":
        state["register_tokens"] = state.pop("reg_token")
        state["pos_embed"] = torch.randn(1, 1 + state["pos_embed"].shape[1], width)
    elif registers == "storage_tokens":
        state["storage_tokens"] = state.pop("reg_token")
        state["rope_embed.periods"] = torch.rand(4)
        for block in range(SMALL["depth"]):
            state[f"blocks.{block}.attn.qkv.bias"] = torch.zeros(3 * width)
            state[f"blocks.{block}.attn.qkv.bias_mask"] = torch.ones(3 * width)
    return state


def chunked(state):
    """As DINOv2's training code keeps blocks: two chunks of two, numbered through."""
    parts = {key: key.split(".") for key in state}
    return {
        f"blocks.{int(part[1]) // 2}.{key.removeprefix('blocks.')}" if part[0] == "blocks" else key: state[key]
        for key, part in parts.items()
    }


FAMILIES = [
    ("vit_small_patch14_dinov2", ""),
    ("vit_small_patch14_reg4_dinov2", "register_tokens"),
    ("vit_small_patch16_dinov3", "storage_tokens"),
]


@pytest.mark.parametrize(("name", "registers"), FAMILIES)
@pytest.mark.parametrize("wrap", ["bare", "teacher", "chunks"])
def test_authors_names_become_timm_s_as_timm_converts_them(small, tmp_path, name, registers, wrap):
    network = LibraryNetwork("timm", name)
    state = original(name, registers)
    content = chunked(state) if wrap == "chunks" else state
    if wrap != "bare":
        head = {"dino_head.mlp.0.weight": torch.randn(3, 3), "ibot_head.mlp.0.weight": torch.randn(3, 3)}
        content = {"teacher": {f"backbone.{key}": value for key, value in content.items()} | head, "iteration": 7}
    path = tmp_path / "a.pth"
    torch.save(content, path)
    backbone = build_library_network(network)
    certificate = load_source(backbone, resolve(str(path), network=str(network)), allow_partial=False)
    assert certificate.complete
    assert certificate.format == "dino-vit"
    assert certificate.prefix == ("" if wrap == "bare" else "backbone.")
    convert = importlib.import_module(type(backbone).__module__).checkpoint_filter_fn
    theirs = convert({key: value.clone() for key, value in state.items()}, build_library_network(network))
    for key, value in backbone.state_dict().items():
        torch.testing.assert_close(value, theirs[key], msg=key, rtol=0, atol=0)


def test_biases_that_a_network_lacks_are_dropped_only_where_they_are_0(small, tmp_path):
    state = original("vit_small_patch16_dinov3", "storage_tokens")
    state["blocks.1.attn.qkv.bias"][0] = 0.5
    torch.save(state, tmp_path / "a.pth")
    with pytest.raises(UserError, match=r"1 unexpected: .*qkv\.bias"):
        source = resolve(str(tmp_path / "a.pth"), network="timm:vit_small_patch16_dinov3")
        load_source(build_library_network(source.network), source, allow_partial=False)


def test_teacher_and_student_are_named_and_chosen(small, tmp_path):
    name, registers = FAMILIES[1]
    state = original(name, registers)
    other = {key: value + 1 for key, value in state.items()}
    content = {part: {f"backbone.{k}": v for k, v in tensors.items()}
               for part, tensors in (("student", other), ("teacher", state))}  # fmt: skip
    torch.save(content, tmp_path / "a.pth")
    network = f"timm:{name}"
    with pytest.raises(UserError, match=r"several backbones: student\.backbone, teacher\.backbone; name the one"):
        resolve_checkpoint(str(tmp_path / "a.pth"), network=network)
    found = resolve_checkpoint(str(tmp_path / "a.pth"), network=network, branch="teacher")
    found.load(backbone := build_library_network(found.architecture))
    assert torch.equal(backbone.norm.weight, state["norm.weight"])


def test_a_training_file_of_timm_is_read_and_its_average_chosen(small, tmp_path):
    network = LibraryNetwork("timm", "vit_small_patch14_dinov2")
    torch.manual_seed(0)
    state = timm.create_model(network.name, num_classes=5).state_dict()
    content = {"epoch": 3, "arch": network.name, "version": 2, "optimizer": {}, "metric": 70.0,
               "state_dict": {f"module.{key}": value for key, value in state.items()}}  # fmt: skip
    torch.save(content, tmp_path / "last.pth")
    found = resolve_checkpoint(str(tmp_path / "last.pth"))
    assert (found.architecture, found.architecture_known_from) == (network, "file")
    certificate = found.load(build_library_network(network))
    assert (certificate.complete, certificate.dropped, certificate.prefix) == (True, {"module.head.": 2}, "module.")
    content["state_dict_ema"] = {key: value + 1 for key, value in state.items()}
    torch.save(content, tmp_path / "ema.pth")
    with pytest.raises(UserError, match=r"several backbones: state_dict\.module, state_dict_ema; name the one to read"):
        resolve_checkpoint(str(tmp_path / "ema.pth"), network=str(network))
    ema = resolve_checkpoint(str(tmp_path / "ema.pth"), network=str(network), branch="state_dict_ema")
    ema.load(backbone := build_library_network(network))
    assert torch.equal(backbone.norm.weight, state["norm.weight"] + 1)


def test_layouts_that_are_not_read_say_which_export_is(tmp_path):
    torch.save({"lightly_train": {"model": 1}, "state_dict": {"a": torch.ones(1)}}, tmp_path / "last.ckpt")
    with pytest.raises(UserError, match=r"training checkpoint of lightly-train.*exported_models/exported_last\.pt"):
        resolve_checkpoint(str(tmp_path / "last.ckpt"))
    save_file({"embeddings.cls_token": torch.ones(1, 1, 4)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "dinov2", "architectures": ["Dinov2Model"]}))
    with pytest.raises(UserError, match="layout of the transformers library, which is not read; take the same weights"):
        resolve_checkpoint(str(tmp_path / "model.safetensors"))
