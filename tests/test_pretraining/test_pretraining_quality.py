import numpy as np
import pytest
import torch
from pretraining_samples import draw, small

from mmbnft.pretraining import quality
from mmbnft.utils.errors import UserError

NORMALISATION = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


def test_shrinking_averages_blocks():
    images = np.zeros((1, 4, 4, 3), dtype=np.uint8)
    images[0, :2, :2] = [[[255, 0, 0], [0, 0, 0]], [[0, 0, 0], [255, 0, 0]]]
    expected = np.zeros((1, 2, 2, 3))
    expected[0, 0, 0, 0] = 0.5
    np.testing.assert_allclose(quality.shrink(images, 2), expected)
    uneven = np.arange(0, 240, 15, dtype=np.uint8).reshape(1, 4, 4, 1).repeat(3, axis=3)
    rows = [uneven[0, i : i + 2, :, 0].mean(axis=0) for i in range(3)]  # areas of two pixels that overlap
    by_hand = [[row[j : j + 2].mean() / 255 for j in range(3)] for row in rows]
    np.testing.assert_allclose(quality.shrink(uneven, 3)[0, :, :, 0], by_hand, rtol=1e-6)
    with pytest.raises(UserError, match="4 x 4 are smaller than the 5 x 5"):
        quality.shrink(images, 5)


def test_features_do_not_depend_on_the_batch_and_are_pooled(monkeypatch):
    backbone = quality.random_backbone(small("simsiam").architecture, 0)
    images = draw(10)
    whole = quality.features(backbone, images, NORMALISATION, 64)
    monkeypatch.setattr(quality, "BATCH", 3)
    parts = quality.features(backbone, images, NORMALISATION, 64)
    assert whole.shape == (10, 128)
    np.testing.assert_allclose(whole, parts, rtol=1e-4, atol=1e-4)
    mean, std = (torch.tensor(NORMALISATION[name]).view(1, 3, 1, 1) for name in ("mean", "std"))
    pictures = (torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255 - mean) / std
    with torch.no_grad():
        expected = backbone(pictures)[0].flatten(2).mean(2)
    np.testing.assert_allclose(whole, expected.numpy(), rtol=1e-3, atol=1e-3)


def test_accuracies_know_separable_from_shuffled():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 50)
    rows = np.eye(4)[labels] * 5 + rng.normal(size=(200, 4)) * 0.1
    perfect = quality.accuracies(rows, labels, range(2))
    assert perfect == {"knn": [100.0, 100.0], "linear": [100.0, 100.0]}
    chance = quality.accuracies(rng.normal(size=(200, 4)), labels, range(5))
    assert 10 < np.mean(chance["knn"]) < 40
    assert 10 < np.mean(chance["linear"]) < 40


def test_random_networks_depend_on_the_seed_only():
    architecture = small("simsiam").architecture
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first, again, other = (quality.random_backbone(architecture, seed) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.conv1.weight, again.conv1.weight)
    assert not torch.equal(first.conv1.weight, other.conv1.weight)
    assert not first.training


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"images": draw(4)}, "lacks the array labels"),
        ({"images": draw(4), "labels": np.zeros(3, dtype=int)}, "4 integers"),
        ({"images": draw(4), "labels": np.zeros(4)}, "4 integers"),
        ({"images": draw(4), "labels": np.zeros(4, dtype=int)}, "two classes"),
        ({"images": draw(4), "labels": np.array([0, 0, 0, 1])}, "two classes"),
    ],
)
def test_wrong_tasks_are_refused(arrays, words, tmp_path):
    np.savez(tmp_path / "task.npz", **arrays)
    with pytest.raises(UserError, match=words):
        quality.read_labelled(tmp_path / "task.npz")
    with pytest.raises(UserError, match="no task file"):
        quality.read_labelled(tmp_path / "nothing.npz")
