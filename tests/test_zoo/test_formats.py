"""Every published layout, converted and compared with the truth tensor by tensor."""

import dataclasses

import published_files as files
import pytest
import torch

from mmbnft.zoo import load_backbone, read_checkpoint, resnet_layout
from mmbnft.zoo.architecture import Architecture
from mmbnft.zoo.network import ResNet

FORMATS = {
    # name: (format, writer of the content, tensors in the file, what the file has instead of counters)
    "insdis": ("pycontrast", lambda s: files.pycontrast(s, "insdis"), 320),
    "pirl": ("pycontrast", lambda s: files.pycontrast(s, "pirl"), 324),
    "infomin": ("pycontrast", lambda s: files.pycontrast(s, "infomin"), 328),
    "moco-v1": ("moco", lambda s: files.moco(s, 1, key_encoder=False), 320),
    "moco-v1 with encoder_k": ("moco", lambda s: files.moco(s, 1), 642),
    "moco-v2": ("moco", lambda s: files.moco(s, 2, key_encoder=False), 322),
    "moco-v2 with encoder_k": ("moco", lambda s: files.moco(s, 2), 646),
    "swav": ("multicrop", lambda s: files.multicrop(s, 1), 328),
    "swav of the training script": ("multicrop", lambda s: {"epoch": 1, "state_dict": files.multicrop(s, 1)}, 328),
    "swav without head": ("multicrop", lambda s: files.multicrop(s, 1, head=False), 318),
    "deepcluster-v2": ("multicrop", lambda s: files.multicrop(s, 3), 330),
    "barlowtwins": ("flat", lambda s: s, 318),
    "barlowtwins full": ("barlowtwins-full", files.barlow_full, 334),
    "vicreg full": ("vicreg-full", files.vicreg_full, 333),
    "simsiam": ("simsiam-full", files.simsiam, 343),
    "dino full": ("dino-full", files.dino_full, 326),
    "simclr-v1 converted": ("simclr-v1-converted", files.simclr_v1_converted, 320),
    "simclr-v2 converted": ("simclr-v2-converted", files.simclr_v2_converted, 320),
    "torchvision": ("torchvision", lambda s: s | files.linear("fc.", 10), 320),
    "torchvision old": ("torchvision", lambda s: files.without_counters(s) | files.linear("fc.", 10), 267),
    "mmselfsup moco": ("mmselfsup", files.mmselfsup, 318 + 636 + 8),
    "mmselfsup byol": ("mmselfsup", lambda s: files.mmselfsup(s, "byol"), 318 + 636 + 4),
    "mmselfsup rotation": ("mmselfsup", lambda s: files.mmselfsup(s, "rotation"), 322),
    "mmselfsup extracted": ("mmselfsup-extracted", files.extracted, 318),
}
# What these files hold does not prove whose they are: a person has to say so.
STATED = ("swav without head", "simclr-v1 converted")
ONCE = (
    "infomin",
    "moco-v2",
    "swav",
    "barlowtwins full",
    "simsiam",
    "simclr-v2 converted",
    "torchvision old",
    "mmselfsup rotation",
)


@pytest.fixture(scope="session")
def narrow():
    return files.truth()


@pytest.fixture(scope="session")
def full():
    return files.truth(Architecture())


def assert_equal_states(found, expected, counters=True):
    assert list(found) == list(expected)
    for name, value in expected.items():
        if name.endswith("num_batches_tracked") and not counters:
            value = torch.tensor(0)
        assert found[name].dtype == value.dtype, name
        assert torch.equal(found[name], value), name


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("name", FORMATS)
def test_layout_is_read_exactly(tmp_path, narrow, name, legacy):
    form, writer, count = FORMATS[name]
    path = files.save(writer(type(narrow)(narrow)), tmp_path / "file.pth", legacy)
    found = read_checkpoint(path, form if name in STATED else None)
    assert_equal_states(found.state_dict, narrow, counters="old" not in name)
    certificate = found.certificate
    assert (certificate.format, certificate.tensors_in_file, certificate.complete) == (form, count, True)
    assert certificate.matched + sum(certificate.dropped.values()) == count
    assert certificate.architecture == {"type": "ResNet", "depth": 50, "base_channels": 4, "stem_channels": 4}
    stated = read_checkpoint(path, form).certificate
    told = {name: getattr(stated, name) for name in ("format_known_from", "normalisation_known_from")}
    assert stated == dataclasses.replace(certificate, **told)


def assert_full_counts(certificate):
    assert certificate.expected == certificate.matched + certificate.filled == 318
    assert (certificate.float_tensors, certificate.floats) == (265, 23_561_152)
    assert certificate.parameters == 23_508_032
    assert certificate.complete


@pytest.mark.parametrize("name", ONCE)
def test_full_size_counts(tmp_path, full, name):
    path = files.save(FORMATS[name][1](type(full)(full)), tmp_path / "file.pth")
    found = read_checkpoint(path)
    path.unlink()
    assert_equal_states(found.state_dict, full, counters="old" not in name)
    assert_full_counts(found.certificate)


def test_full_size_tensorflow(tmp_path, full):
    index = files.write_bundle(tmp_path / "model.ckpt-250228", files.tf_variables(full))
    found = read_checkpoint(index)
    assert_equal_states(found.state_dict, full, counters=False)
    assert_full_counts(found.certificate)
    assert found.certificate.filled == 53
    assert found.certificate.normalisation == {"mean": [0.0] * 3, "std": [1.0] * 3}
    for path in tmp_path.iterdir():
        path.unlink()


def test_full_size_byol(tmp_path, full):
    path = files.write_byol(tmp_path / "byol.pkl", full)
    found = read_checkpoint(path)
    path.unlink()
    assert_equal_states(found.state_dict, full, counters=False)
    assert_full_counts(found.certificate)


def test_cuda_tagged_storages_are_read_on_a_cpu(tmp_path, narrow, monkeypatch):
    # The location tag is all that a file from a GPU differs in.
    monkeypatch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:0")
    path = files.save(files.moco(narrow, 2), tmp_path / "cuda.pth")
    monkeypatch.undo()
    with pytest.raises(RuntimeError, match="CUDA"):
        torch.load(path, weights_only=True)
    assert_equal_states(read_checkpoint(path).state_dict, narrow)


def test_wrapped_parameters_are_read(tmp_path, narrow):
    wrapped = {k: torch.nn.Parameter(v) if v.is_floating_point() else v for k, v in narrow.items()}
    found = read_checkpoint(files.save(wrapped, tmp_path / "p.pth"))
    assert_equal_states(found.state_dict, narrow)
    assert not any(isinstance(v, torch.nn.Parameter) or v.requires_grad for v in found.state_dict.values())


def test_tiny_files_cast_half_exactly_and_carry_their_normalisation(tmp_path, narrow):
    found = read_checkpoint(files.save(files.tiny(narrow), tmp_path / "tiny.pth"))
    assert_equal_states(
        found.state_dict, {k: v.half().float() if v.is_floating_point() else v for k, v in narrow.items()}
    )
    assert found.certificate.dtypes == {"float16": 265, "int64": 53}
    assert found.certificate.normalisation == {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]}
    assert found.certificate.normalisation_known_from == "file"
    assert found.certificate.cast == "float16"


@pytest.mark.parametrize("depth", [18, 34, 101])
def test_other_depths_are_recognised(tmp_path, depth):
    architecture = Architecture("ResNet", depth, 4, 8)
    state = files.truth(architecture)
    found = read_checkpoint(files.save(files.moco(state, 2), tmp_path / "file.pth"))
    assert_equal_states(found.state_dict, state)
    assert found.certificate.architecture == architecture.to_dict()


def test_any_network_is_loaded_by_exact_keys(tmp_path):
    def build():
        return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Flatten())

    torch.manual_seed(0)
    source, target = build(), build()
    path = files.save({"meta": {}, "state_dict": files.prefixed(source.state_dict(), "backbone.")}, tmp_path / "a.pth")
    certificate = load_backbone(target, path)
    assert_equal_states(target.state_dict(), source.state_dict())
    assert certificate.architecture == {"type": "other"}
    assert certificate.complete


def test_layout_is_torchvisions():
    from torchvision.models import resnet18, resnet50, wide_resnet50_2

    for build, depth in ((resnet18, 18), (resnet50, 50)):
        network = build(weights=None)
        network.fc = torch.nn.Identity()
        ours = ResNet(Architecture("ResNet", depth))
        expected = {k: (tuple(v.shape), v.dtype) for k, v in network.state_dict().items()}
        assert {k: (s.shape, s.dtype) for k, s in resnet_layout(depth).items()} == expected
        assert list(ours.state_dict()) == list(expected)
        ours.load_state_dict(network.state_dict())
        images = torch.randn(2, 3, 64, 64)
        with torch.no_grad():
            mine = ours.eval()(images).mean(dim=(2, 3))
            assert torch.allclose(mine, network.eval()(images), atol=1e-5)
    wide = {k: tuple(v.shape) for k, v in wide_resnet50_2(weights=None).state_dict().items() if not k.startswith("fc")}
    assert {k: s.shape for k, s in resnet_layout(50).items()} != wide


def test_layout_is_the_hosts(tmp_path):
    from mmselfsup.models.backbones import ResNet as HostResNet

    for depth, base in ((18, 16), (50, 8)):
        host = HostResNet(depth=depth, base_channels=base, stem_channels=base)
        layout = resnet_layout(depth, base, base)
        assert {k: tuple(v.shape) for k, v in host.state_dict().items()} == {k: s.shape for k, s in layout.items()}
        state = files.truth(Architecture("ResNet", depth, base, base))
        certificate = load_backbone(host, files.save(state, tmp_path / f"{depth}.pth"))
        twin = ResNet(Architecture("ResNet", depth, base, base))
        assert load_backbone(twin, tmp_path / f"{depth}.pth") == certificate  # also the fingerprints
        assert_equal_states(host.state_dict(), state)
