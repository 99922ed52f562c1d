"""Kinds of files that practitioners bring, beside the published layouts: read whole, or refused by their right name."""

import importlib
import json
import os
import subprocess
import sys
import types

import published_files as files
import pytest
import torch
from safetensors.torch import save_file

from mmbnft.utils.errors import UserError
from mmbnft.zoo import load_backbone, read_checkpoint, resolve_checkpoint
from mmbnft.zoo.architecture import Architecture
from mmbnft.zoo.conversion import convert
from mmbnft.zoo.network import ResNet
from mmbnft.zoo.sources import resolve

SMALL = Architecture("ResNet", 18, 4, 4)
IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


@pytest.fixture(scope="module")
def small():
    return files.truth(SMALL)


def read(content, path, **options):
    found = read_checkpoint(files.save(content, path), **options)
    assert found.certificate.complete
    return found


def assert_equal(found, expected):
    assert list(found) == list(expected)
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def foreign(module, name, kind="function"):
    """A function or class of a module that exists only while a file is written, and that must never be called again."""

    def function(*args, **kwargs):
        raise AssertionError("called")

    made = function if kind == "function" else type(name, (), {"__init__": lambda self: setattr(self, "x", [1])})
    made.__module__, made.__qualname__, made.__name__ = module, name, name
    return made


def save_with(monkeypatch, content, path, *added, legacy=False):
    """Save content that refers to foreign functions and classes, whose modules are gone afterwards."""
    with monkeypatch.context() as patch:
        for value in added:
            module = sys.modules.get(value.__module__) or types.ModuleType(value.__module__)
            patch.setitem(sys.modules, value.__module__, module)
            patch.setattr(module, value.__name__, value, raising=False)
        return files.save(content, path, legacy)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("writer", [files.barlow_full, files.vicreg_full])
def test_full_checkpoint_with_a_reference_to_a_training_function(tmp_path, monkeypatch, small, writer, legacy):
    function = foreign("__main__", "exclude_bias_and_norm")
    content = writer(small)
    content["optimizer"]["param_groups"] = [{"lr": 0.1, "weight_decay_filter": function}]
    found = read_checkpoint(save_with(monkeypatch, content, tmp_path / "a.pth", function, legacy=legacy))
    assert_equal(found.state_dict, small)
    assert found.certificate.normalisation == IMAGENET
    assert found.certificate.normalisation_known_from == "catalogue"


def test_objects_beside_the_weights_stay_unbuilt(tmp_path, monkeypatch, small):
    buffer = foreign("mmengine", "HistoryBuffer", "class")
    config = "model = dict(type='SimCLR'); mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True"
    content = files.mmselfsup(small, "rotation") | {"message_hub": {"log_scalars": {"loss": buffer()}}, "optimizer": {}}
    content["meta"]["cfg"] = config
    found = read_checkpoint(save_with(monkeypatch, content, tmp_path / "epoch_200.pth", buffer))
    assert_equal(found.state_dict, small)
    assert found.certificate.format == "mmselfsup"
    assert found.certificate.normalisation == IMAGENET
    assert found.certificate.normalisation_known_from == "file"


WRAPPERS = {
    # content, branch, prefix
    "lightly": (
        lambda s: {
            "epoch": 99,
            "pytorch-lightning_version": "2.0.2",
            "state_dict": files.prefixed(s, "backbone.")
            | files.linear("projection_head.layers.0.")
            | files.linear("online_classifier.linear."),
            "hyper_parameters": {"num_classes": 10},
        },
        "state_dict.backbone",
        "backbone.",
    ),
    "vissl": (
        lambda s: {
            "phase_idx": 99,
            "classy_state_dict": {
                "base_model": {"model": {"trunk": files.prefixed(s, "_feature_blocks."), "heads": files.linear("0.")}},
                "optimizer": {"state": {0: {"momentum_buffer": torch.ones(3)}}},
            },
        },
        "classy_state_dict.base_model.model.trunk._feature_blocks",
        "_feature_blocks.",
    ),
    "byol by parts": (
        lambda s: {
            "online_backbone": files.prefixed(s, "module.") | files.linear("module.fc."),
            "online_projector": files.linear("module.0."),
            "target_backbone": files.prefixed(files.other(s), "module."),
            "optimizer": {},
        },
        "online_backbone.module",
        "module.",
    ),
    "ddp": (lambda s: files.prefixed(s, "module."), "module", "module."),
    "ddp twice": (
        lambda s: {"epoch": 1, "state_dict": files.prefixed(s, "module.module.")},
        "state_dict.module.module",
        "module.module.",
    ),
    "torch.compile": (lambda s: files.prefixed(s, "_orig_mod."), "_orig_mod", "_orig_mod."),
    "torch.compile of ddp": (
        lambda s: {"epoch": 3, "arch": "resnet18", "state_dict": files.prefixed(s, "_orig_mod.module.")},
        "state_dict._orig_mod.module",
        "_orig_mod.module.",
    ),
    "moco on one gpu": (
        lambda s: {
            "epoch": 200,
            "state_dict": files.prefixed(s, "encoder_q.")
            | files.linear("encoder_q.fc.0.")
            | files.prefixed(files.other(s), "encoder_k.")
            | files.linear("encoder_k.fc.0.")
            | {"queue": torch.randn(4, 16), "queue_ptr": torch.zeros(1, dtype=torch.int64)},
            "optimizer": {"state": {}, "param_groups": []},
        },
        "state_dict.encoder_q",
        "encoder_q.",
    ),
    "moco bare": (
        lambda s: files.prefixed(s, "encoder_q.") | files.linear("encoder_q.fc.0."),
        "encoder_q",
        "encoder_q.",
    ),
    "plain training file without classifier": (
        lambda s: {"epoch": 2, "arch": "resnet18", "state_dict": dict(s), "optimizer": {}},
        "state_dict",
        "",
    ),
}


@pytest.mark.parametrize("name", WRAPPERS)
def test_wrapped_backbone_is_found(tmp_path, small, name):
    writer, branch, prefix = WRAPPERS[name]
    found = read(writer(small), tmp_path / "a.pth")
    assert_equal(found.state_dict, small)
    certificate = found.certificate
    assert (certificate.format, certificate.branch, certificate.prefix) == ("wrapped", branch, prefix)
    assert certificate.normalisation is None
    assert certificate.normalisation_known_from == ""
    assert_equal(load(small, tmp_path / "a.pth"), small)


def load(state, path):
    network = ResNet(SMALL)
    load_backbone(network, path)
    return network.state_dict()


def test_mmpretrain_momentum_copy(tmp_path, small):
    content = files.mmselfsup(small, "rotation")
    content["state_dict"] |= files.prefixed(files.other(small), "encoder_k.module.0.") | {
        "encoder_k.steps": torch.ones(1)
    }
    assert read(content, tmp_path / "a.pth").certificate.format == "mmselfsup"


def test_several_backbones_are_named_and_chosen(tmp_path, small):
    content = {
        "student": files.prefixed(files.other(small), "backbone."),
        "teacher": files.prefixed(small, "backbone."),
    }
    path = files.save(content, tmp_path / "a.pth")
    with pytest.raises(UserError, match=r"several backbones: student\.backbone, teacher\.backbone; .*--branch"):
        read_checkpoint(path)
    assert_equal(read_checkpoint(path, branch="teacher").state_dict, small)
    with pytest.raises(UserError, match=r"no backbone at 'ema'; those in it: student\.backbone, teacher\.backbone"):
        read_checkpoint(path, branch="ema")


def test_a_piece_of_a_second_network_is_not_passed_over(tmp_path, small):
    content = files.prefixed(small, "backbone.") | {"other.layer1.0.conv1.weight": torch.ones(4, 4, 3, 3)}
    with pytest.raises(UserError, match=r"other\.layer1"):
        read_checkpoint(files.save(content, tmp_path / "a.pth"))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_cast_exactly_and_said(tmp_path, small, dtype):
    half = {k: v.to(dtype) if v.is_floating_point() else v for k, v in small.items()}
    found = read(half, tmp_path / "a.pth")
    assert_equal(found.state_dict, {k: v.float() if v.is_floating_point() else v for k, v in half.items()})
    assert found.certificate.cast == str(dtype).removeprefix("torch.")


def test_cifar_stem_is_found_and_the_network_built_accordingly(tmp_path):
    architecture = Architecture("mmcls.ResNet_CIFAR", 18, 4, 4)
    state = files.truth(architecture)
    assert state["conv1.weight"].shape == (4, 3, 3, 3)
    found = read(state, tmp_path / "a.pth")
    assert found.certificate.architecture == architecture.to_dict()
    assert_equal(found.state_dict, state)
    features = ResNet(Architecture(**found.certificate.architecture))(torch.zeros(1, 3, 32, 32))
    assert features.shape == (1, 32, 4, 4)  # no stride and no pooling before the stages


def test_cifar_stem_is_the_hosts(tmp_path):
    from mmselfsup.models.builder import build_backbone

    architecture = Architecture("mmcls.ResNet_CIFAR", 18, 4, 4)
    path = files.save(files.truth(architecture), tmp_path / "a.pth")
    host = build_backbone(architecture.to_dict() | {"out_indices": [3]})
    assert load_backbone(host, path) == load_backbone(ResNet(architecture), path)  # also the fingerprints


def timm_folder(tmp_path, state, **config):
    save_file({k: v.contiguous() for k, v in state.items()}, tmp_path / "model.safetensors", {"format": "pt"})
    if config:
        (tmp_path / "config.json").write_text(json.dumps(config))
    return tmp_path / "model.safetensors"


def test_safetensors_with_timms_config(tmp_path, small):
    path = timm_folder(tmp_path, small | files.linear("fc."), architecture="resnet18",
                       pretrained_cfg={"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]})  # fmt: skip
    found = read_checkpoint(path)
    assert_equal(found.state_dict, small)
    assert found.certificate.normalisation == {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]}
    assert found.certificate.normalisation_known_from == "file"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="damaged safetensors"):
        read_checkpoint(path)


def test_safetensors_alone_and_of_another_network(tmp_path, small):
    assert read_checkpoint(timm_folder(tmp_path, small)).certificate.normalisation is None
    with pytest.raises(UserError, match="but the network timm:resnetblur18 is another"):
        read_checkpoint(timm_folder(tmp_path, small, architecture="resnetblur18", pretrained_cfg={}))


def test_what_holds_no_weights_is_called_by_its_name(tmp_path):
    network = torch.nn.Conv2d(3, 4, 3)
    torch.save(network, tmp_path / "whole.pth")
    torch.save({"model": network, "epoch": 1}, tmp_path / "inside.pth")
    torch.jit.script(network).save(tmp_path / "scripted.pt")
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    network(torch.ones(1, 3, 4, 4)).sum().backward()
    optimizer.step()
    torch.save(optimizer.state_dict(), tmp_path / "optimizer.pth")
    for name, words in {
        "whole.pth": r"is a pickled module \(torch\.nn\.modules\.conv\.Conv2d\)",
        "inside.pth": r"pickled modules at model \(torch\.nn\.modules\.conv\.Conv2d\)",
        "scripted.pt": "is a TorchScript archive",
        "optimizer.pth": "holds the state of an optimizer and no network",
    }.items():
        with pytest.raises(UserError, match=words) as caught:
            read_checkpoint(tmp_path / name)
        assert "--allow-partial" not in str(caught.value)


def test_channels_last_with_classifier(tmp_path, small):
    content = {k: v.contiguous(memory_format=torch.channels_last) if v.dim() == 4 else v for k, v in small.items()}
    found = read(content | files.linear("fc."), tmp_path / "a.pth")
    assert_equal(found.state_dict, small)
    assert found.certificate.format == "torchvision"
    assert all(value.is_contiguous() for value in found.state_dict.values())


class Runs:
    """Would run code if it were unpickled."""

    def __init__(self, function, *args):
        self.function, self.args = function, args

    def __reduce__(self):
        return self.function, self.args


@pytest.mark.parametrize("function", [os.system, subprocess.call, eval, importlib.import_module])
def test_functions_that_run_something_have_no_stand_in(tmp_path, small, function):
    path = files.save({"state_dict": dict(small), "epoch": Runs(function, "echo")}, tmp_path / "a.pth")
    with pytest.raises(UserError, match="nothing in it was executed"):
        read_checkpoint(path)


@pytest.mark.parametrize("beside", ["projector.0", "momentum_backbone.conv1"])
def test_the_cifar_stem_of_solo_learn_pads_twice(tmp_path, beside):
    network = Architecture("mmcls.ResNet_CIFAR", 18, 4, 4)
    reference = ResNet(network).eval()
    reference.conv1.padding = (2, 2)
    state = files.prefixed(reference.state_dict(), "backbone.")
    if beside.startswith("momentum"):
        state |= files.prefixed(files.other(reference.state_dict()), "momentum_backbone.")
    state |= files.linear("classifier.") | files.linear("projector.0.")
    content = {"epoch": 1, "pytorch-lightning_version": "2.1", "state_dict": state}
    torch.save(content, tmp_path / "solo.ckpt")
    checkpoint = resolve_checkpoint(str(tmp_path / "solo.ckpt"), mean=[0.5] * 3, std=[0.5] * 3)
    assert checkpoint.architecture == network
    certificate = checkpoint.load(backbone := ResNet(checkpoint.architecture).eval())
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(backbone(images), reference(images))
    assert (certificate.complete, certificate.stem_padding) == (True, 2)
    # What `convert` writes keeps it; another framework's file of the same keys has none of it.
    convert(resolve(str(tmp_path / "solo.ckpt")), tmp_path / "converted.pth")
    assert read_checkpoint(tmp_path / "converted.pth").certificate.stem_padding == 2
    del content["pytorch-lightning_version"]
    torch.save(content, tmp_path / "plain.pth")
    assert read_checkpoint(tmp_path / "plain.pth").certificate.stem_padding == 0
