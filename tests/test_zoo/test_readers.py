"""The TensorFlow and BYOL readers against files in their formats, checksums against another implementation."""

import numpy as np
import published_files as files
import pytest
import torch
from torch.nn import functional

from mmbnft.utils.errors import UserError
from mmbnft.zoo import ResNet, apply_same_padding, load_backbone, read_checkpoint
from mmbnft.zoo.architecture import Architecture
from mmbnft.zoo.fingerprint import fingerprint
from mmbnft.zoo.padding import same_pads
from mmbnft.zoo.readers.crc32c import crc32c, masked
from mmbnft.zoo.readers.snappy import decompress
from mmbnft.zoo.readers.tf_bundle import read_bundle
from mmbnft.zoo.readers.wire import varint


@pytest.fixture(scope="module")
def narrow():
    return files.truth()


def equal_without_counters(found, expected):
    return list(found) == list(expected) and all(
        torch.equal(found[k], v) for k, v in expected.items() if not k.endswith(files.COUNTER)
    )


def test_crc32c_known_answer_and_other_implementation():
    from tensorboard.compat.tensorflow_stub import pywrap_tensorflow as other

    assert crc32c(b"123456789") == 0xE3069283
    generator = np.random.default_rng(0)
    for size in (0, 1, 7, 8191, 8192 * 8 - 1, 8192 * 8, 8192 * 9 + 5):
        data = generator.bytes(size)
        assert crc32c(data) == other.crc32c(data)
        assert masked(crc32c(data)) == other.masked_crc32c(data)


def test_snappy_copies_and_damage():
    # "Wikipedia" style vectors: literal, one-byte-offset copy that overlaps, two-byte-offset copy.
    assert decompress(bytes([11, 0 << 2, ord("a"), (6 << 2) | 1 | 0 << 5, 1])) == b"a" * 11
    assert decompress(bytes([8, 3 << 2, *b"abcd", (3 << 2) | 2, 4, 0])) == b"abcdabcd"
    for bad in (bytes([3, 0, 97]), bytes([4, 0, 97, 1, 9]), bytes([1, 4, 97, 98])):
        with pytest.raises((ValueError, IndexError)):
            decompress(bad)
    with pytest.raises(ValueError, match="without end"):
        varint(b"\xff" * 11, 0)


@pytest.mark.parametrize("compress", [False, True])
def test_bundle_round_trip(tmp_path, compress):
    variables = {"a": np.arange(6, dtype="f4").reshape(2, 3), "ab/c": np.int64(-3), "z": np.zeros((0, 2), "f4")}
    variables |= {f"base/{i}": np.full(i % 5, i, "f4") for i in range(130)}
    found = read_bundle(files.write_bundle(tmp_path / "model.ckpt-1", variables, compress))
    assert set(found) == set(variables)
    assert all(np.array_equal(found[k].numpy(), v) and found[k].shape == v.shape for k, v in variables.items())


def test_simclr_from_index_folder_and_zip(tmp_path, narrow):
    folder = tmp_path / "simclr"
    folder.mkdir()
    index = files.write_bundle(folder / "model.ckpt-225206", files.tf_variables(narrow))
    for path in (index, folder, files.zip_bundle(index, tmp_path / "ResNet50_1x.zip")):
        found = read_checkpoint(path)
        assert equal_without_counters(found.state_dict, narrow)
        assert found.certificate.filled == 53
        assert found.certificate.dropped["global_step"] == 1
    assert read_checkpoint(index).certificate.sha256 == read_checkpoint(folder).certificate.sha256


def test_deeper_simclr(tmp_path):
    state = files.truth(Architecture("ResNet", 101, 4, 4))
    found = read_checkpoint(
        files.write_bundle(tmp_path / "model.ckpt-1", files.tf_variables(state, blocks=(3, 4, 23, 3)))
    )
    assert equal_without_counters(found.state_dict, state)
    assert found.certificate.architecture["depth"] == 101


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("stem", ["initial_conv", "initial_conv_1"])
def test_byol(tmp_path, narrow, old, stem):
    found = read_checkpoint(files.write_byol(tmp_path / "byol.pkl", narrow, old, stem))
    assert equal_without_counters(found.state_dict, narrow)
    assert (found.certificate.format, found.certificate.matched, found.certificate.filled) == ("byol-pickle", 265, 53)


def test_byol_with_both_stems_is_ambiguous(tmp_path, narrow, monkeypatch):
    trees = files.byol_trees

    def both(state, stem):
        params, stats = trees(state, stem)
        params["res_net50/~/initial_conv_1"] = {"w": params["res_net50/~/initial_conv"]["w"] + 1}
        return params, stats

    monkeypatch.setattr(files, "byol_trees", both)
    with pytest.raises(UserError, match="initial_conv"):
        read_checkpoint(files.write_byol(tmp_path / "byol.pkl", narrow))


def test_every_format_gives_one_fingerprint(tmp_path, narrow):
    index = files.write_bundle(tmp_path / "model.ckpt-1", files.tf_variables(narrow))
    byol = files.write_byol(tmp_path / "byol.pkl", narrow)
    moco = files.save(files.moco(narrow, 2), tmp_path / "moco.pth")
    prints = {load_backbone(ResNet(files.NARROW), path).fingerprint for path in (index, byol, moco)}
    assert len(prints) == 1
    swapped = dict(narrow)
    a, b = "layer2.1.conv2.weight", "layer2.2.conv2.weight"  # equal shapes: no strict load would notice
    swapped[a], swapped[b] = swapped[b], swapped[a]
    other = load_backbone(ResNet(files.NARROW), files.save(swapped, tmp_path / "swapped.pth")).fingerprint
    nudged = dict(narrow) | {"bn1.bias": narrow["bn1.bias"] + 1e-3}
    third = load_backbone(ResNet(files.NARROW), files.save(nudged, tmp_path / "nudged.pth")).fingerprint
    assert len({*prints, other, third}) == 3


def test_fingerprint_leaves_the_network_alone_and_ignores_threads(narrow):
    network = ResNet(files.NARROW)
    network.load_state_dict(narrow)
    network.train()
    answers = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        answers.append(fingerprint(network))
    torch.set_num_threads(1)
    assert answers[0] == answers[1]
    assert network.training
    assert network.conv1.weight.dtype == torch.float32
    assert all(torch.equal(v, narrow[k]) for k, v in network.state_dict().items())
    assert fingerprint(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(7, 3))) == "no-features"


@pytest.mark.parametrize(
    ("size", "kernel", "expected"),
    [(224, 7, (2, 3)), (112, 3, (0, 1)), (56, 3, (0, 1)), (7, 3, (1, 1)), (56, 1, (0, 0))],
)
def test_same_pads(size, kernel, expected):
    assert same_pads(size, kernel, 2) == expected


def _reference(network, x, strided):
    """The network with padding written out: F.pad before every affected operation."""

    def conv(module, x):
        if strided and module.stride[0] == 2 and module.kernel_size[0] > 1:
            total = [max((-(-n // 2) - 1) * 2 + module.kernel_size[0] - n, 0) for n in x.shape[-2:]]
            top, left = total[0] // 2, total[1] // 2
            x = functional.pad(x, (left, total[1] - left, top, total[0] - top))
            return functional.conv2d(x, module.weight, stride=2)
        return functional.conv2d(x, module.weight, stride=module.stride, padding=module.kernel_size[0] // 2)

    x = torch.relu(network.bn1(conv(network.conv1, x)))
    pads = [max((-(-n // 2) - 1) * 2 + 3 - n, 0) for n in x.shape[-2:]]
    x = functional.pad(x, (pads[1] // 2, pads[1] - pads[1] // 2, pads[0] // 2, pads[0] - pads[0] // 2), value=-1e30)
    x = functional.max_pool2d(x, 3, 2)
    for layer in (network.layer1, network.layer2, network.layer3, network.layer4):
        for block in layer:
            identity = block.downsample[1](conv(block.downsample[0], x)) if block.downsample else x
            for i in (1, 2):
                x = torch.relu(getattr(block, f"bn{i}")(conv(getattr(block, f"conv{i}"), x)))
            x = torch.relu(block.bn3(conv(block.conv3, x)) + identity)
    return x


@pytest.mark.parametrize("size", [(64, 64), (96, 75), (33, 64)])
@pytest.mark.parametrize("operations", ["pool", "strided"])
@pytest.mark.parametrize("host", [False, True])
def test_same_padding_is_exact(narrow, size, operations, host):
    from mmselfsup.models.backbones import ResNet as HostResNet

    images = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1))
    plain = ResNet(files.NARROW)
    plain.load_state_dict(narrow)
    plain.eval()
    padded = HostResNet(depth=50, base_channels=4, stem_channels=4) if host else ResNet(files.NARROW)
    padded.load_state_dict(narrow)
    assert apply_same_padding(padded, operations) == (1 if operations == "pool" else 5)
    assert list(padded.state_dict()) == list(narrow)
    padded.eval()
    with torch.no_grad():
        answer = padded(images)
        answer = answer[-1] if host else answer
        expected = _reference(plain, images, operations == "strided")
        assert torch.allclose(answer, expected, atol=1e-5)
        if size == (64, 64):
            assert not torch.allclose(answer, plain(images), atol=1e-2)


def test_same_padding_refusals():
    with pytest.raises(UserError, match="pool, strided"):
        apply_same_padding(ResNet(files.NARROW), "valid")
    with pytest.raises(UserError, match="max-pooling"):
        apply_same_padding(torch.nn.Linear(2, 2), "pool")
