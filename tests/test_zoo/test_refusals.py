"""Files that must be refused: each in one sentence, with nothing executed and the network left as it was."""

import os
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import published_files as files
import pytest
import torch

from mmbnft.utils.errors import UserError
from mmbnft.zoo import load_backbone, read_checkpoint
from mmbnft.zoo.architecture import Architecture
from mmbnft.zoo.network import ResNet
from mmbnft.zoo.sources import file_identity

MARK = "executed"


@pytest.fixture(scope="module")
def narrow():
    return files.truth()


def refused(path, format=None, entry_ok=False):
    """The message of a refusal that leaves a network as it was."""
    network = ResNet(files.NARROW)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(UserError) as caught:
        load_backbone(network, path, format=format)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 1200
    with pytest.raises(UserError):
        read_checkpoint(path, format)
    return message


class Bomb:
    def __reduce__(self):
        return os.system, (f"touch {MARK}",)


class Maker:
    """Runs code through an allowed-looking detour: getattr on an imported module."""

    def __reduce__(self):
        return getattr, (os, "system")


@pytest.mark.parametrize("attack", [Bomb, Maker])
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_code_in_a_plain_pickle(tmp_path, monkeypatch, attack, protocol):
    monkeypatch.chdir(tmp_path)
    Path("a.pkl").write_bytes(pickle.dumps({"experiment_state": attack() if attack is Bomb else attack}, protocol))
    message = refused(Path("a.pkl"))
    assert "download" in message or "nothing in it was executed" in message
    assert not Path(MARK).exists()


@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_torch_file(tmp_path, monkeypatch, narrow, legacy):
    monkeypatch.chdir(tmp_path)
    files.save({"epoch": 1, "arch": Bomb(), "state_dict": dict(narrow)}, Path("a.pth"), legacy)
    assert "nothing in it was executed" in refused(Path("a.pth"))
    assert not Path(MARK).exists()


GADGETS = {
    "foreign global": b"cos\nsystem\n",
    "builtins": b"cbuiltins\neval\n",
    "numpy load": b"cnumpy\nload\n",
    "dill load": b"cdill._dill\n_load_type\n",
    "submodule by dots": b"cnumpy\ncore.multiarray.scalar\n",
    "persistent id": b"Pthere\n",
    "dill attribute": b"cdill._dill\n_get_attr\n(cdill._dill\n_import_module\n(S'os'\ntRS'system'\ntR",
    "namedtuple module": b"cdill._dill\n_create_namedtuple\n(S'T'\n(S'x y'\ntS'os'\ntR",
    "object dtype": b"cnumpy\ndtype\n(S'O8'\nI0\nI1\ntR",
    "structured dtype": b"cnumpy\ndtype\n(S'f4,O'\nI0\nI1\ntR",
    "other array maker": b"cdill._dill\n_create_array\n(cnumpy\nndarray\n(I3\nttR",
    "other codec": b"c_codecs\nencode\n(S'x'\nS'zip'\ntR",
}


@pytest.mark.parametrize("name", GADGETS)
def test_byol_unpickler_is_a_closed_table(tmp_path, name):
    path = tmp_path / "a.pkl"
    path.write_bytes(b"\x80\x02" + GADGETS[name] + b".")
    message = refused(path)
    assert "nothing in it was executed" in message


def test_byol_records_are_inert(tmp_path):
    for body in (b"cdill._dill\n_create_namedtuple\n(S'T'\n(S'x'\ntS'os'\ntR)\x81", b"cnumpy\nndarray\n)\x81"):
        path = tmp_path / "a.pkl"
        path.write_bytes(b"\x80\x02}S'experiment_state'\n" + body + b"s.")
        assert "experiment_state" in refused(path)


def _file(tmp_path, content):
    path = tmp_path / "a.pth"
    path.write_bytes(content)
    return path


def test_things_that_are_no_weights(tmp_path, narrow):
    assert "empty" in refused(_file(tmp_path, b""))
    assert "web page" in refused(_file(tmp_path, b"\n <!DOCTYPE html><html>sign in</html>"))
    assert "is not a torch file" in refused(_file(tmp_path, b"\x00\x01random" * 100))
    with tarfile.open(tmp_path / "old.pth", "w") as archive:
        archive.add(__file__, "storages")
    assert "tar container" in refused(tmp_path / "old.pth")
    with pytest.raises(UserError, match="no file"):
        read_checkpoint(tmp_path / "absent.pth")


@pytest.mark.parametrize("legacy", [False, True])
def test_truncated_files(tmp_path, narrow, legacy):
    whole = files.save(files.moco(narrow, 2), tmp_path / "whole.pth", legacy).read_bytes()
    for part in (30, len(whole) // 3, len(whole) - 10):
        assert "truncated or damaged" in refused(_file(tmp_path, whole[:part])) or part == 30
        refused(_file(tmp_path, whole[:part]))
    path = files.write_byol(tmp_path / "b.pkl", narrow)
    path.write_bytes(path.read_bytes()[:-1000])
    assert "damaged" in refused(path)


def test_inflating_zip(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * (1 << 26))
    assert "far more content" in refused(tmp_path / "a.pth")


def test_cmc_half_width_two_encoders(tmp_path, narrow):
    inner = files.prefixed(narrow, "module.encoder1.") | files.prefixed(files.other(narrow), "module.encoder2.")
    message = refused(files.save({"model": inner, "epoch": 1}, tmp_path / "CMC.pth"))
    assert "model.module.encoder1, model.module.encoder2" in message
    assert "--branch" in message


def test_simsiam_linear_classifier(tmp_path, narrow):
    inner = files.prefixed(narrow, "module.") | files.linear("module.fc.")
    for content in ({"epoch": 1, "state_dict": inner, "best_acc1": 68.1}, {"epoch": 1, "state_dict": inner}):
        path = files.save(content, tmp_path / "model_best.pth.tar")
        with pytest.raises(UserError, match="linear-evaluation|not complete"):
            read_checkpoint(path, "simsiam-full")
    assert read_checkpoint(path).certificate.format == "wrapped"


def test_mlp_file_is_no_moco_v1(tmp_path):
    path = files.save(files.moco(files.truth(Architecture()), 2, key_encoder=False), tmp_path / "a.pth")
    with pytest.raises(UserError, match=r"holds 322 tensors, 'pcl-v1' has 320 or 642"):
        read_checkpoint(path, "pcl-v1")
    assert read_checkpoint(path, "pcl-v2").certificate.entry == "pcl-v2"
    with pytest.raises(UserError, match=r"MD5 .* published for 'moco-v2' is a04e12f8"):
        read_checkpoint(path, "moco-v2")


def test_sk1_simclr(tmp_path, narrow):
    variables = files.tf_variables(narrow)
    for i in range(53, 70):  # selective kernels add convolutions, which shift every index
        variables[f"base_model/conv2d_{i}/kernel"] = np.ones((1, 1, 8, 8), "f4")
    path = files.write_bundle(tmp_path / "model.ckpt-1", variables)
    assert "base_model/conv2d_*/kernel (17)" in refused(path)


def test_ema_copy_in_simclr(tmp_path, narrow):
    path = files.write_bundle(tmp_path / "model.ckpt-1", files.tf_variables(narrow, ema=True))
    assert "ema_model/" in refused(path)


def test_wrong_depth_and_width(tmp_path, narrow):
    for architecture in (Architecture("ResNet", 18, 4, 4), Architecture("ResNet", 50, 8, 8)):
        path = files.save(files.moco(files.truth(architecture), 2), tmp_path / "a.pth")
        with pytest.raises(UserError, match=f"complete ResNet-{architecture.depth}"):
            load_backbone(ResNet(files.NARROW), path)
        with pytest.raises(UserError, match=f"nearest to ResNet-{architecture.depth}.*'pcl-v2' is a ResNet-50"):
            read_checkpoint(path, "pcl-v2")


def test_sobel_stem(tmp_path, narrow):
    state = narrow | {"conv1.weight": torch.randn(4, 2, 7, 7)}
    content = files.mmselfsup(state, "rotation")
    content["state_dict"]["sobel_layer.weight"] = torch.ones(1)
    message = refused(files.save(content, tmp_path / "a.pth"))
    assert "conv1.weight" in message
    assert "sobel_layer" in message


VALUES = {
    "not finite": lambda s: s["layer3.1.bn2.running_mean"].fill_(float("nan")),
    "infinite": lambda s: s["conv1.weight"].view(-1)[:1].fill_(float("inf")),
    "negative running variances": lambda s: s["bn1.running_var"][:1].fill_(-1e-3),
    "negative counters": lambda s: s["bn1.num_batches_tracked"].fill_(-1),
    "float64": lambda s: s.update({"bn1.weight": s["bn1.weight"].double()}),
    "float32": lambda s: s.update({"bn1.num_batches_tracked": torch.tensor(3.0)}),
    "shape (1,)": lambda s: s.update({"bn1.num_batches_tracked": torch.tensor([3])}),
    "num_batches_tracked": lambda s: [s.pop(k) for k in list(s) if k.endswith("num_batches_tracked")],
    "conv2.weight": lambda s: s.pop("layer4.1.conv2.weight"),
    "extra": lambda s: s.update({"layer4.3.extra": torch.ones(1)}),
}


@pytest.mark.parametrize("what", VALUES)
def test_bad_values(tmp_path, what):
    state = files.truth()
    VALUES[what](state)
    message = refused(files.save(files.moco(state, 2), tmp_path / "a.pth"))
    assert {"infinite": "not finite", "shape (1,)": "num_batches"}.get(what, what) in message


def test_two_backbones(tmp_path, narrow):
    content = files.moco(narrow, 2) | {"model": files.prefixed(files.other(narrow), "module.encoder.")}
    assert "further networks at model" in refused(files.save(content, tmp_path / "a.pth"), "moco")
    content = files.mmselfsup(narrow)
    content["state_dict"]["encoder_q.0.conv1.weight"] = torch.zeros(4, 3, 7, 7)
    assert "encoder_q" in refused(files.save(content, tmp_path / "b.pth"))
    two = files.prefixed(narrow, "a.") | files.prefixed(files.other(narrow), "b.")
    with pytest.raises(UserError, match=r"several backbones: a, b; .*--branch"):
        read_checkpoint(files.save(two, tmp_path / "c.pth"))


@pytest.mark.parametrize("content", [{}, {"state_dict": {}}, [], 3, {"meta": {}, "state_dict": {"backbone.x": 1}}])
def test_nothing_in_the_file(tmp_path, content):
    refused(files.save(content, tmp_path / "a.pth"))


def test_message_groups_keys_and_names_the_nearest_format(tmp_path, narrow):
    state = {k: v for k, v in narrow.items() if not k.startswith("layer3")}
    message = refused(files.save(files.simsiam(state), tmp_path / "a.pth"))
    assert "nearest is 'simsiam-full'" in message
    assert "layer*.*.conv*.weight (18)" in message
    assert message.count("layer3") <= 10


def test_partial_is_asked_for_and_marked(tmp_path, narrow):
    state = {k: v for k, v in narrow.items() if not k.startswith("layer4.2")}
    path = files.save(files.moco(state, 2), tmp_path / "a.pth")
    refused(path)
    network = ResNet(files.NARROW)
    own = network.layer4[2].conv1.weight.clone()
    certificate = load_backbone(network, path, allow_partial=True)
    assert certificate.partial
    assert not certificate.complete
    assert len(certificate.missing) == 18
    assert torch.equal(network.layer4[2].conv1.weight, own)
    assert torch.equal(network.conv1.weight, narrow["conv1.weight"])
    whole = load_backbone(network, files.save(files.moco(narrow, 2), tmp_path / "b.pth"), allow_partial=True)
    assert not whole.partial


def test_damaged_tensorflow_checkpoints(tmp_path, narrow):
    index = files.write_bundle(tmp_path / "model.ckpt-1", files.tf_variables(narrow))
    data = tmp_path / "model.ckpt-1.data-00000-of-00001"
    good_index, good_data = index.read_bytes(), data.read_bytes()
    for at in (0, len(good_index) // 2, len(good_index) - 4):
        index.write_bytes(good_index[:at] + bytes([good_index[at] ^ 1]) + good_index[at + 1 :])
        refused(index)
    index.write_bytes(good_index[:-60])
    assert "damaged" in refused(index)
    index.write_bytes(good_index)
    data.write_bytes(good_data[:100] + bytes([good_data[100] ^ 1]) + good_data[101:])
    assert "checksum" in refused(index)
    data.write_bytes(good_data[:-100])
    assert "damaged" in refused(index)
    data.unlink()
    assert "data-* files" in refused(index)
    with pytest.raises(UserError, match="data-"):
        file_identity(index)


def test_an_odd_network_is_refused(tmp_path, narrow):
    path = files.save(narrow, tmp_path / "a.pth")
    with pytest.raises(UserError, match="float32"):
        load_backbone(ResNet(files.NARROW).half(), path)
