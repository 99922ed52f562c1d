import numpy as np
import pytest
import torch
from mmselfsup.datasets.builder import PIPELINES
from PIL import Image
from torchvision.transforms import functional as reference

from mmbnft.pretraining.augmentations import BnftColourJitter, BnftRandomCrop, BnftToTensor, _rotate_hue, _saturate
from mmbnft.utils.errors import UserError


@pytest.fixture
def picture():
    """Mid-range colours, so that no operation clips and a chain equals its composition."""
    return np.random.default_rng(0).uniform(0.35, 0.65, (8, 8, 3)).astype(np.float32)


def library(image, operation, factor):
    result = operation(torch.from_numpy(image.transpose(2, 0, 1)), factor)
    return result.numpy().transpose(1, 2, 0)


def jitter(monkeypatch, picture, brightness, contrast, saturation, hue=0.0):
    transform = BnftColourJitter(probability=1.0, grey=0.0)
    monkeypatch.setattr(transform, "_draw", lambda: (brightness, contrast, saturation, hue))
    return transform(picture)


@pytest.mark.parametrize("factor", [0.6, 1.0, 1.4])
def test_brightness_contrast_and_saturation_are_the_librarys(monkeypatch, picture, factor):
    expected = library(picture, reference.adjust_brightness, factor)
    np.testing.assert_allclose(jitter(monkeypatch, picture, factor, 1, 1), expected, atol=2e-3)
    expected = library(picture, reference.adjust_contrast, factor)
    np.testing.assert_allclose(jitter(monkeypatch, picture, 1, factor, 1), expected, atol=2e-3)
    expected = library(picture, reference.adjust_saturation, factor)
    np.testing.assert_allclose(jitter(monkeypatch, picture, 1, 1, factor), expected, atol=2e-3)


def test_all_factors_together_are_the_chain(monkeypatch, picture):
    expected = library(picture, reference.adjust_saturation, 1.3)
    expected = library(expected, reference.adjust_brightness, 0.9)
    expected = library(expected, reference.adjust_contrast, 1.2)
    np.testing.assert_allclose(jitter(monkeypatch, picture, 0.9, 1.2, 1.3), expected, atol=3e-3)


def test_hue_is_a_rotation_that_keeps_luma():
    luma = np.array([0.299, 0.587, 0.114])
    for turn in (-0.5, 0.1, 0.25):
        np.testing.assert_allclose(luma @ _rotate_hue(turn), luma, atol=1e-3)
    np.testing.assert_allclose(_rotate_hue(0.25) @ _rotate_hue(-0.25), np.eye(3), atol=1e-5)
    np.testing.assert_allclose(_rotate_hue(0.1) @ np.ones(3), np.ones(3), atol=1e-3)  # grey stays grey


def test_saturation_zero_is_grey():
    grey = _saturate(0.0) @ np.array([0.2, 0.5, 0.9])
    np.testing.assert_allclose(grey, 0.299 * 0.2 + 0.587 * 0.5 + 0.114 * 0.9, atol=1e-6)


def test_greyscale_keeps_float32_and_range(picture):
    grey = BnftColourJitter(probability=0.0, grey=1.0)(picture)
    assert grey.dtype == np.float32
    np.testing.assert_allclose(grey[..., 0], grey[..., 2], atol=1e-6)
    strong = BnftColourJitter(1.0, 1.0, 1.0, 0.5, probability=1.0, grey=0.0)
    for _ in range(20):
        result = strong(picture)
        assert result.dtype == np.float32
        assert 0 <= result.min() <= result.max() <= 1


def test_no_jitter_is_the_picture_itself(picture):
    assert BnftColourJitter(probability=0.0, grey=0.0)(picture) is picture


def test_the_whole_picture_is_the_librarys_resize():
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    crop = BnftRandomCrop(32, scale=(1.0, 1.0), ratio=(1.0, 1.0), flip=0.0)(image)
    expected = np.asarray(image.resize((32, 32), Image.Resampling.BILINEAR)) / 255
    np.testing.assert_allclose(crop, expected, atol=1e-6)
    flipped = BnftRandomCrop(32, scale=(1.0, 1.0), ratio=(1.0, 1.0), flip=1.0)(image)
    np.testing.assert_allclose(flipped, expected[:, ::-1], atol=1e-6)


def test_crops_stay_inside_and_keep_to_their_share_of_the_area():
    np.random.seed(0)
    transform = BnftRandomCrop(32, scale=(0.2, 0.5))
    boxes = np.array([transform._box(64, 48) for _ in range(500)])
    left, top, right, bottom = boxes.T
    assert left.min() >= 0
    assert top.min() >= 0
    assert right.max() <= 64
    assert bottom.max() <= 48
    share = (right - left) * (bottom - top) / (64 * 48)
    assert share.min() >= 0.2 - 1e-6
    assert share.max() <= 0.5 + 1e-6
    ratio = (right - left) / (bottom - top)
    assert ratio.min() >= 3 / 4 - 1e-6
    assert ratio.max() <= 4 / 3 + 1e-6


def test_normalisation_is_the_librarys(picture):
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    expected = reference.normalize(torch.from_numpy(picture.transpose(2, 0, 1)), mean, std)
    result = BnftToTensor({"mean": mean, "std": std})(picture[:, ::-1][:, ::-1])
    torch.testing.assert_close(result, expected)


def test_an_impossible_scale_is_refused():
    with pytest.raises(UserError, match="0 < low <= high <= 1"):
        BnftRandomCrop(32, scale=(0.5, 0.2))


def test_the_transforms_are_registered_with_the_host():
    assert all(PIPELINES.get(name) for name in ("BnftRandomCrop", "BnftColourJitter", "BnftToTensor"))
