"""Facts of the catalogue, its groups and names, and loading by id."""

import dataclasses
import json

import published_files as files
import pytest
import torch

from mmbnft.utils.errors import UserError
from mmbnft.utils.files import sha256_file, write_json
from mmbnft.zoo import DEFAULT_ROOT, STUDY_TWELVE, ResNet, entries, file_identity, get_entry, group, load_backbone
from mmbnft.zoo.architecture import Architecture
from mmbnft.zoo.formats import FORMATS
from mmbnft.zoo.recognition import layout_if_resnet

TINY = Architecture("ResNet", 18, 16, 16)
TOP1 = {
    "insdis": 59.5, "pirl": 61.7, "infomin": 73.0, "moco-v1": 60.6, "moco-v2": 71.1, "pcl-v1": 61.5, "pcl-v2": 67.6,
    "swav": 75.3, "deepcluster-v2": 75.2, "sela-v2": 71.8, "simclr-v1": 69.1, "simclr-v2": 71.7, "byol": 74.4,
    "barlowtwins": 73.5, "simsiam": 68.1, "dino-resnet50": 75.3, "vicreg": 73.2, "supervised": 76.13,
}  # fmt: skip


@pytest.fixture
def tiny_root(tmp_path):
    """A root of checkpoints with one small file of our own."""
    (tmp_path / "tiny").mkdir()
    path = files.save(files.tiny(files.truth(TINY)), tmp_path / "tiny" / "tiny-simsiam.pth")
    row = {
        "id": "tiny-simsiam", "method": "SimSiam", "file": path.name, "sha256": sha256_file(path), "epochs": 5,
        "architecture": TINY.to_dict(), "normalisation": {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]},
        "record": "tiny/tiny-simsiam.json",
    }  # fmt: skip
    write_json(tmp_path / "tiny" / "catalogue.json", [row])
    return tmp_path


def test_published_figures():
    known = entries()
    assert {name: known[name].imagenet_linear_top1 for name in TOP1} == TOP1
    assert known["swav"].normalisation.std[0] == 0.228
    assert {n for n, e in known.items() if e.normalisation and e.normalisation.mean == (0, 0, 0)} == {
        "simclr-v1",
        "simclr-v2",
    }
    assert {n for n, e in known.items() if e.same_padding} == {"simclr-v1", "simclr-v2", "byol"}
    assert not any(entry.emulate_same_padding for entry in known.values())


def test_entries_are_consistent():
    known = entries()
    aliases = [alias for entry in known.values() for alias in entry.aliases]
    assert len(set(aliases)) == len(aliases)
    assert not set(aliases) & set(known)
    assert not set(FORMATS) & (set(known) | set(aliases))  # --format takes both
    names = [name for entry in known.values() for name in entry.files]
    assert len(set(names)) == len(names)
    for entry in known.values():
        assert entry.format in FORMATS
        shipped = entry.format == "tiny"
        package = entry.url.startswith("pip:")
        assert shipped or package or entry.url.startswith("https://") or not entry.files
        assert shipped or package or len(entry.downloads) == len(entry.files)
        assert not shipped or all((DEFAULT_ROOT / name).is_file() for name in entry.files)
        assert all(sentence.endswith(".") for sentence in entry.unverified)
        json.dumps(entry.to_dict(), allow_nan=False)
        with pytest.raises(dataclasses.FrozenInstanceError):
            entry.id = "x"


def test_study_twelve_are_the_published_tables_ids():
    assert len(STUDY_TWELVE) == 12 == len(set(STUDY_TWELVE) & set(entries()))
    assert group("study12") == STUDY_TWELVE
    assert all(entries()[name].architecture == Architecture() for name in STUDY_TWELVE)
    assert len(layout_if_resnet(entries()["byol"].architecture)) == 318


def test_unknown_names(tmp_path):
    with pytest.raises(UserError, match=r"'mocov2'; nearest first: moco-v2"):
        get_entry("mocov2")
    assert get_entry("npid").id == "insdis"
    with pytest.raises(UserError, match="study12, tiny, tiny-early"):
        group("thirteen")
    with pytest.raises(UserError, match=r"fetch moco-v2"):
        load_backbone(ResNet(TINY), "moco-v2", root=tmp_path)
    with pytest.raises(UserError, match="nearest first: swav"):
        load_backbone(ResNet(TINY), "swaw", root=tmp_path)
    with pytest.raises(UserError, match="family"):
        load_backbone(ResNet(TINY), "ssl-transfer", root=tmp_path)
    with pytest.raises(UserError, match="no SAME padding"):
        get_entry("swav@same-padding")


def test_tiny_entries_come_from_their_catalogue(tiny_root, tmp_path_factory):
    assert group("tiny", tiny_root) == ("tiny-simsiam",)
    assert "tiny-simsiam" in group("tiny", tmp_path_factory.mktemp("none"))  # those of the package
    network = ResNet(TINY)
    certificate = load_backbone(network, "tiny-simsiam", root=tiny_root)
    assert certificate.complete
    assert (certificate.entry, certificate.format) == ("tiny-simsiam", "tiny")
    assert certificate.normalisation["mean"] == [0.5, 0.4, 0.3]
    assert json.loads(json.dumps(certificate.to_dict(), allow_nan=False))["fingerprint"] == certificate.fingerprint
    path, digest = file_identity("tiny-simsiam", tiny_root)
    assert (path.name, digest) == ("tiny-simsiam.pth", certificate.sha256)


def test_a_second_folder_of_small_files_is_a_group_of_its_own(tiny_root):
    (tiny_root / "tiny-early").mkdir()
    path = files.save(files.tiny(files.truth(TINY, seed=1)), tiny_root / "tiny-early" / "tiny-early-simsiam.pth")
    [row] = json.loads((tiny_root / "tiny" / "catalogue.json").read_text())
    early = row | {"id": "tiny-early-simsiam", "file": path.name, "sha256": sha256_file(path), "epochs": 1}
    write_json(tiny_root / "tiny-early" / "catalogue.json", [early])
    assert group("tiny-early", tiny_root) == ("tiny-early-simsiam",)
    assert group("tiny", tiny_root) == ("tiny-simsiam",)
    assert file_identity("tiny-early-simsiam", tiny_root) == (path, sha256_file(path))
    assert load_backbone(ResNet(TINY), "tiny-early-simsiam", root=tiny_root).complete


def test_changed_tiny_file_is_refused(tiny_root):
    files.save(files.tiny(files.truth(TINY, seed=1)), tiny_root / "tiny" / "tiny-simsiam.pth")
    with pytest.raises(UserError, match="SHA-256"):
        load_backbone(ResNet(TINY), "tiny-simsiam", root=tiny_root)


@pytest.mark.parametrize("content", ['{"a": 1}', '[{"id": "x"}]', "[1]", "not json", '[{"id": 1, "file": 3}]'])
def test_damaged_tiny_catalogue(tiny_root, content):
    (tiny_root / "tiny" / "catalogue.json").write_text(content)
    with pytest.raises(UserError, match=r"catalogue\.json"):
        entries(tiny_root)


def test_same_padding_is_another_checkpoint(tmp_path):
    state = files.truth(Architecture())
    files.write_byol(tmp_path / "pretrain_res50x1.pkl", state)
    plain, padded = ResNet(), ResNet()
    first = load_backbone(plain, "byol", root=tmp_path)
    second = load_backbone(padded, "byol@same-padding", root=tmp_path)
    assert (first.same_padding, second.same_padding) == ("", "strided")
    assert first.fingerprint != second.fingerprint
    assert file_identity("byol", tmp_path)[1] != file_identity("byol@same-padding", tmp_path)[1]
    assert all(
        torch.equal(a, b) for a, b in zip(plain.state_dict().values(), padded.state_dict().values(), strict=True)
    )
    (tmp_path / "pretrain_res50x1.pkl").unlink()
