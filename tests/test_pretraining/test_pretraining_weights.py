import pytest
import torch
from pretraining_samples import small

from mmbnft.pretraining.quality import random_backbone
from mmbnft.pretraining.small_files import SIZE_LIMIT, backbone_of, half_precision, read_checkpoint, write_checkpoint
from mmbnft.utils.errors import UserError

ARCHITECTURE = small("simsiam").architecture
META = {"method": "x", "architecture": ARCHITECTURE, "normalisation": {"mean": [0.5] * 3, "std": [0.2] * 3}}


def weights(seed=0):
    return random_backbone(ARCHITECTURE, seed).state_dict()


def test_what_is_stored_is_the_half_precision_of_what_was_trained(tmp_path):
    state = weights()
    write_checkpoint(tmp_path / "a.pth", META, state)
    content = torch.load(tmp_path / "a.pth", weights_only=True)
    assert content["meta"] == META
    for name, tensor in state.items():
        stored = content["state_dict"][name]
        assert stored.dtype == (torch.float16 if tensor.is_floating_point() else torch.int64)
        assert torch.equal(stored, tensor.to(stored.dtype))
    assert (tmp_path / "a.pth").stat().st_size < SIZE_LIMIT


def test_the_names_are_torchvisions():
    torchvision_names = {name.replace("fc.", "") for name in _torchvision_resnet18() if not name.startswith("fc.")}
    assert set(weights()) == torchvision_names


def _torchvision_resnet18():
    from torchvision.models import resnet18

    return resnet18().state_dict()


def test_loading_is_strict_and_gives_the_features_of_the_stored_weights(tmp_path):
    write_checkpoint(tmp_path / "a.pth", META, weights())
    _, backbone = backbone_of(tmp_path / "a.pth")
    truth = random_backbone(ARCHITECTURE, 1)
    truth.load_state_dict({name: t.float() for name, t in half_precision(weights()).items()})
    pictures = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(backbone(pictures)[0], truth(pictures)[0])
    state = weights()
    del state["layer1.0.bn1.weight"]
    write_checkpoint(tmp_path / "b.pth", META, state)
    with pytest.raises(UserError, match=r"layer1\.0\.bn1\.weight"):
        backbone_of(tmp_path / "b.pth")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e6])
def test_values_that_are_not_finite_in_half_precision_are_refused(value, tmp_path):
    state = weights()
    state["layer2.0.bn1.running_var"][3] = value
    with pytest.raises(UserError, match=r"layer2\.0\.bn1\.running_var"):
        write_checkpoint(tmp_path / "a.pth", META, state)
    assert not list(tmp_path.iterdir())


def test_a_file_above_the_limit_is_removed(tmp_path):
    state = weights() | {"extra": torch.zeros(100_000)}
    with pytest.raises(UserError, match=f"{SIZE_LIMIT} are allowed"):
        write_checkpoint(tmp_path / "a.pth", META, state)
    assert not list(tmp_path.iterdir())


def test_a_file_that_reads_back_differently_is_removed(tmp_path, monkeypatch):
    real = torch.save

    def save(content, stream):
        changed = content["state_dict"] | {"conv1.weight": content["state_dict"]["conv1.weight"] + 1}
        real(content | {"state_dict": changed}, stream)

    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(UserError, match="did not read back"):
        write_checkpoint(tmp_path / "a.pth", META, weights())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", None])
def test_other_files_are_refused(content, tmp_path):
    path = tmp_path / "a.pth"
    if content is None:
        torch.save([1, 2], path)
    else:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"not a checkpoint written by mmbnft pretrain"):
        read_checkpoint(path)
    with pytest.raises(UserError, match="there is no checkpoint"):
        read_checkpoint(tmp_path / "nothing.pth")
