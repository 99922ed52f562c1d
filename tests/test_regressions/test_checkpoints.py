"""Faults met in reading checkpoints: claims that a file does not prove, and refusals that name the wrong thing."""

import sys
from pathlib import Path

import pytest
import torch

from mmbnft.utils.errors import UserError
from mmbnft.zoo import Checkpoint, read_checkpoint, resolve_checkpoint, resolve_checkpoints
from mmbnft.zoo.architecture import Architecture
from mmbnft.zoo.checkpoint import Statement
from mmbnft.zoo.network import ResNet

sys.path.insert(0, str(Path(__file__).parent.parent / "test_zoo"))
import published_files as files

SMALL = Architecture("ResNet", 18, 4, 4)
UNIT = {"mean": [0.0] * 3, "std": [1.0] * 3}


def state(seed=0):
    return files.truth(SMALL, seed)


def classifier(path, **others):
    return files.save({"state_dict": dict(state()) | files.linear("fc."), **others}, path)


def test_a_plain_training_file_is_not_taken_for_simclr(tmp_path):
    path = classifier(tmp_path / "a.pth", epoch=2, arch="resnet18", optimizer={})
    certificate = read_checkpoint(path).certificate
    assert certificate.format == "classifier"
    assert certificate.normalisation is None
    with pytest.raises(UserError, match=r"a\.pth does not say .*--mean R G B --std R G B"):
        resolve_checkpoint(str(path)).need_normalisation()


def test_two_readings_are_both_named_and_one_is_stated(tmp_path):
    path = classifier(tmp_path / "a.pth")
    with pytest.raises(UserError, match=r"simclr-v1-converted.*classifier.*--format|classifier.*simclr.*--format"):
        read_checkpoint(path)
    converted = resolve_checkpoint(str(path), format="simclr-v1-converted")
    assert converted.described_normalisation == UNIT | {"known_from": "stated"}
    assert resolve_checkpoint(str(path), format="classifier").normalisation is None


def test_a_data_parallel_file_is_not_taken_for_swav(tmp_path):
    content = files.prefixed(state(), "module.")
    path = files.save(content, tmp_path / "a.pth")
    assert resolve_checkpoint(str(path)).normalisation is None
    assert resolve_checkpoint(str(path), format="multicrop").normalisation_known_from == "stated"
    whole = files.save(files.multicrop(state(), 1), tmp_path / "b.pth")
    assert resolve_checkpoint(str(whole)).normalisation_known_from == "catalogue"


def test_torchvisions_layout_proves_no_normalisation(tmp_path):
    path = files.save(state() | files.linear("fc."), tmp_path / "a.pth")
    assert resolve_checkpoint(str(path)).normalisation is None
    stated = resolve_checkpoint(str(path), mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    assert stated.described_normalisation == {"mean": [0.5] * 3, "std": [0.25] * 3, "known_from": "stated"}


def test_what_is_stated_may_not_contradict(tmp_path):
    path = str(files.save(files.tiny(state()), tmp_path / "a.pth"))
    with pytest.raises(UserError, match="leave --mean and --std out"):
        resolve_checkpoint(path, mean=(0.1, 0.1, 0.1), std=(1, 1, 1))
    assert resolve_checkpoint(path, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4)).normalisation_known_from == "file"
    for mean, std in (((0.5, 0.5, 0.5), None), ((1, 2), (1, 1)), ((123.7, 116.3, 103.5), (58.4, 57.1, 57.4)),
                      ((0, 0, 0), (1, 0, 1))):  # fmt: skip
        with pytest.raises(UserError, match="--mean and --std"):
            resolve_checkpoint(path, mean=mean, std=std)


def test_refusals_name_the_class_and_no_help_that_is_none(tmp_path):
    path = tmp_path / "a.pth"
    torch.save({"state_dict": dict(state()), "run": Evil()}, path)
    with pytest.raises(UserError, match=r"refers to posix\.system") as caught:
        read_checkpoint(path)
    assert "(GLOBAL)" not in str(caught.value)
    path = files.save({"state_dict": {"a.weight": torch.ones(3)}}, tmp_path / "b.pth")
    with pytest.raises(UserError) as caught:
        read_checkpoint(path)
    assert "--allow-partial" not in str(caught.value)
    partial = {k: v for k, v in state().items() if not k.startswith("layer4.1")}
    with pytest.raises(UserError, match="--allow-partial"):
        read_checkpoint(files.save(files.moco(partial, 2), tmp_path / "c.pth"))


class Evil:
    def __reduce__(self):
        import os

        return os.system, ("false",)


def folder_of(tmp_path, *names):
    paths = []
    for seed, name in enumerate(names):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        paths.append(str(files.save(files.tiny(state(seed)), path)))
    return paths


@pytest.mark.parametrize(("given", "names"), [
    (("run1/latest.pth", "run2/latest.pth"), ("run1/latest", "run2/latest")),
    (("a/x/latest.pth", "b/x/latest.pth", "c/other.pth"), ("a/x/latest", "b/x/latest", "other")),
    (("w/random.pth", "w/b.pth.tar"), ("w/random", "b")),
    (("w/npid.pth", "w/insdis.pth"), ("w/npid", "w/insdis")),
])  # fmt: skip
def test_names_are_distinct_by_the_shortest_path(tmp_path, given, names):
    found = resolve_checkpoints([*folder_of(tmp_path, *given), "random"])
    assert [checkpoint.name for checkpoint in found] == [*names, "random"]
    assert found[-1] == Checkpoint.random()


def test_two_endings_in_one_folder(tmp_path):
    names = [checkpoint.name for checkpoint in resolve_checkpoints(folder_of(tmp_path, "w/a.pth", "w/a.pt"))]
    assert len(set(names)) == 2
    assert all(name.endswith(("a.pth", "a.pt")) for name in names)


def test_the_same_weights_twice_are_refused(tmp_path):
    (path,) = folder_of(tmp_path, "a.pth")
    other = tmp_path / "b.pth"
    other.write_bytes(Path(path).read_bytes())
    with pytest.raises(UserError, match="same weights"):
        resolve_checkpoints([path, str(other)])
    tiny = "tiny-simclr"
    with pytest.raises(UserError, match="same weights"):
        resolve_checkpoints([tiny, tiny])


def test_a_checkpoint_loads_what_was_resolved(tmp_path):
    (path,) = folder_of(tmp_path, "a.pth")
    checkpoint = resolve_checkpoint(path)
    network = ResNet(SMALL)
    certificate = checkpoint.load(network)
    assert certificate.sha256 == checkpoint.sha256 == checkpoint.identity
    assert certificate.format == checkpoint.format == "tiny"
    assert checkpoint.architecture == SMALL
    files.save(files.tiny(state(5)), Path(path))
    with pytest.raises(UserError, match="has changed"):
        checkpoint.load(network)
    with pytest.raises(UserError, match="no weights to load"):
        Checkpoint.random().load(network)


def test_statements_are_for_files_only(tmp_path):
    with pytest.raises(UserError, match="no weight file is among tiny-simclr, random"):
        resolve_checkpoints(["tiny-simclr", "random"], stated=Statement(format="flat"))
    path = str(files.save(state(), tmp_path / "a.pth"))
    own, tiny = resolve_checkpoints([path, "tiny-simclr"], stated=Statement(mean=(0, 0, 0), std=(1, 1, 1)))
    assert own.normalisation_known_from == "stated"
    assert tiny.normalisation_known_from == "catalogue"
