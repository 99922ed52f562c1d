"""Augmentations for pictures of 32 pixels, an order of magnitude faster than one library call per operation.

On pictures this small a chain of library transforms spends its time in call overhead and would take twice as long as
the network. These three do the standard crop, flip, colour jitter and greyscale with a handful of array operations.
They draw from NumPy's global generator, as the host's transforms do.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from PIL import Image

from mmbnft.host import PIPELINES
from mmbnft.utils.errors import UserError

GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)
RGB_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]], dtype=np.float32)
YIQ_TO_RGB = np.linalg.inv(RGB_TO_YIQ)


@PIPELINES.register_module()
class BnftRandomCrop:
    """Random crop, resized to a square, with a horizontal flip.

    Args:
        size: Side of the result in pixels.
        scale: Range of the crop's share of the picture's area, within (0, 1].
        ratio: Range of the crop's width divided by its height, drawn uniformly in the logarithm.
        flip: Probability of a horizontal flip.
    """

    def __init__(
        self,
        size: int,
        scale: Sequence[float] = (0.2, 1.0),
        ratio: Sequence[float] = (3 / 4, 4 / 3),
        flip: float = 0.5,
    ) -> None:
        if not 0 < scale[0] <= scale[1] <= 1:
            raise UserError(f"scale of BnftRandomCrop must satisfy 0 < low <= high <= 1, got {tuple(scale)}")
        self.size = size
        self.scale = (float(scale[0]), float(scale[1]))
        self.log_ratio = (math.log(ratio[0]), math.log(ratio[1]))
        self.flip = flip

    def __call__(self, image: Image.Image) -> np.ndarray:
        """Crop a PIL image; returns a float32 array of shape (size, size, 3) in 0..1."""
        view = image.resize((self.size, self.size), Image.Resampling.BILINEAR, box=self._box(*image.size))
        array = np.asarray(view, dtype=np.float32) / 255
        return array[:, ::-1] if np.random.rand() < self.flip else array

    def _box(self, width: int, height: int) -> tuple[float, float, float, float]:
        area = width * height * np.random.uniform(*self.scale)
        ratio = math.exp(np.random.uniform(*self.log_ratio))
        crop_width = min(float(width), math.sqrt(area * ratio))
        crop_height = min(float(height), math.sqrt(area / ratio))
        left, top = np.random.rand(2) * (width - crop_width, height - crop_height)
        return (float(left), float(top), float(left + crop_width), float(top + crop_height))


@PIPELINES.register_module()
class BnftColourJitter:
    """Brightness, contrast, saturation, hue and greyscale as one affine map of the colours.

    The usual chain clips after each operation and draws their order; here all are composed into one 3 x 3 matrix and an
    offset, hue is a rotation in YIQ space, and the result is clipped once.

    Args:
        brightness: Half-width of the factor's range around 1.
        contrast: As for brightness, around the picture's mean grey.
        saturation: As for brightness.
        hue: Half-width of the rotation, as a fraction of the colour circle (at most 0.5).
        probability: Probability that the jitter is applied at all.
        grey: Probability of a greyscale result.
    """

    def __init__(
        self,
        brightness: float = 0.4,
        contrast: float = 0.4,
        saturation: float = 0.4,
        hue: float = 0.1,
        probability: float = 0.8,
        grey: float = 0.2,
    ) -> None:
        self.widths = np.array([brightness, contrast, saturation, hue], dtype=np.float32)
        self.probability = probability
        self.grey = grey

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Map a float32 picture (H, W, 3) in 0..1 to another one."""
        jitter, grey = np.random.rand(2) < (self.probability, self.grey)
        if not (jitter or grey):
            return image
        brightness, contrast, saturation, hue = self._draw() if jitter else (1.0, 1.0, 1.0, 0.0)
        colours = _saturate(0.0) if grey else _saturate(saturation) @ _rotate_hue(hue)
        matrix = (brightness * contrast * colours).astype(np.float32)
        pixels = image.reshape(-1, 3)  # (H * W, 3)
        offset = (1 - contrast) * brightness * float(pixels.mean(axis=0) @ GREY)
        mapped = pixels @ matrix.T + np.float32(offset)
        return np.clip(mapped, 0, 1, out=mapped).reshape(image.shape)

    def _draw(self) -> tuple[float, float, float, float]:
        brightness, contrast, saturation, hue = np.random.uniform(-1, 1, 4) * self.widths
        return max(0.0, 1 + brightness), max(0.0, 1 + contrast), max(0.0, 1 + saturation), hue


def _saturate(factor: float) -> np.ndarray:
    """Matrix that blends a colour with its grey value; 0 is grey, 1 the identity."""
    return (factor * np.eye(3) + (1 - factor) * GREY[None, :]).astype(np.float32)


def _rotate_hue(turn: float) -> np.ndarray:
    """Matrix that turns the hue by `turn` of a full circle and keeps the luma."""
    cosine, sine = math.cos(2 * math.pi * turn), math.sin(2 * math.pi * turn)
    rotation = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    return (YIQ_TO_RGB @ rotation @ RGB_TO_YIQ).astype(np.float32)


@PIPELINES.register_module()
class BnftToTensor:
    """Normalise a picture and turn it into a tensor.

    Args:
        normalisation: `mean` and `std`, three numbers each, in units of 0..1 RGB.
    """

    def __init__(self, normalisation: Mapping[str, Sequence[float]]) -> None:
        self.mean = np.array(normalisation["mean"], dtype=np.float32)
        self.scale = 1 / np.array(normalisation["std"], dtype=np.float32)

    def __call__(self, image: np.ndarray) -> torch.Tensor:
        """Map a float32 picture (H, W, 3) in 0..1 to a tensor (3, H, W)."""
        return torch.from_numpy(np.ascontiguousarray(((image - self.mean) * self.scale).transpose(2, 0, 1)))
