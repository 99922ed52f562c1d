"""Procedurally drawn tasks: shapes, textures and fine-grained blossoms, deterministic by seed, nothing to download.

Every image is a function of pixel coordinates with a random pose, random colours and noise. Colours are drawn without
regard to the class, so only form tells classes apart.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mmbnft.tasks.images import ArrayImages
from mmbnft.tasks.sizes import check_sizes
from mmbnft.tasks.task import Task
from mmbnft.utils.errors import UserError, choices

# A drawing maps coordinates x, y (N, S, S) in the object's own frame, where the object spans about -1 to 1, to its
# coverage (N, S, S) in 0..1. `soft` is the width of an anti-aliased edge in that frame.
Drawing = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def edge(distance: np.ndarray, soft: np.ndarray) -> np.ndarray:
    """Coverage from a signed distance (negative inside), with an edge `soft` wide."""
    return np.clip(0.5 - distance / soft, 0.0, 1.0)


def _radius(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.hypot(x, y)


def _polygon(corners: int, dent: float = 0.0) -> Drawing:
    """A regular polygon; `dent` pulls the middle of each side inwards, which makes stars."""

    def draw(x: np.ndarray, y: np.ndarray, soft: np.ndarray) -> np.ndarray:
        sector = 2 * np.pi / corners
        angle = np.abs((np.arctan2(y, x) % sector) - sector / 2)
        side = np.cos(sector / 2) / np.cos(angle)
        return edge(_radius(x, y) - side * (1 - dent * (1 - angle / (sector / 2))), soft)

    return draw


def _ring(x: np.ndarray, y: np.ndarray, soft: np.ndarray) -> np.ndarray:
    return edge(np.abs(_radius(x, y) - 0.72) - 0.25, soft)


def _disk(x: np.ndarray, y: np.ndarray, soft: np.ndarray) -> np.ndarray:
    return edge(_radius(x, y) - 0.85, soft)


def _cross(x: np.ndarray, y: np.ndarray, soft: np.ndarray) -> np.ndarray:
    short, long = np.minimum(np.abs(x), np.abs(y)), np.maximum(np.abs(x), np.abs(y))
    return np.minimum(edge(short - 0.28, soft), edge(long - 0.95, soft))


def _crescent(x: np.ndarray, y: np.ndarray, soft: np.ndarray) -> np.ndarray:
    return np.minimum(_disk(x, y, soft), 1 - edge(_radius(x - 0.45, y) - 0.7, soft))


def _bars(x: np.ndarray, y: np.ndarray, soft: np.ndarray) -> np.ndarray:
    return np.minimum(edge(np.abs(np.abs(x) - 0.6) - 0.22, soft), edge(np.abs(y) - 0.9, soft))


SHAPES: dict[str, Drawing] = {
    "disk": _disk,
    "ring": _ring,
    "triangle": _polygon(3),
    "square": _polygon(4),
    "star": _polygon(5, dent=0.45),
    "cross": _cross,
    "crescent": _crescent,
    "bars": _bars,
}


def _wave(value: np.ndarray, soft: np.ndarray) -> np.ndarray:
    """A square wave of period 1 with anti-aliased flanks."""
    return edge(np.abs((value % 1.0) - 0.5) - 0.25, soft)


TEXTURES: dict[str, Drawing] = {
    "stripes": lambda x, y, soft: _wave(1.8 * x, soft * 1.8),
    "fine_stripes": lambda x, y, soft: _wave(3.0 * x, soft * 3.0),
    "checks": lambda x, y, soft: np.abs(_wave(1.5 * x, soft * 1.5) - _wave(1.5 * y, soft * 1.5)),
    "dots": lambda x, y, soft: edge(np.hypot((2 * x) % 1 - 0.5, (2 * y) % 1 - 0.5) - 0.3, 2 * soft),
    "grid": lambda x, y, soft: np.maximum(edge(np.abs((2 * x) % 1 - 0.5) - 0.1, 2 * soft),
                                          edge(np.abs((2 * y) % 1 - 0.5) - 0.1, 2 * soft)),
    "waves": lambda x, y, soft: _wave(2.0 * x + 0.35 * np.sin(2 * np.pi * y), soft * 2.5),
    "rings": lambda x, y, soft: _wave(2.0 * _radius(x, y), soft * 2.0),
    "bricks": lambda x, y, soft: np.maximum(
        edge(np.abs((2 * y) % 1 - 0.5) - 0.1, 2 * soft),
        edge(np.abs((1.2 * x + 0.5 * (np.floor(2 * y - 0.5) % 2)) % 1 - 0.5) - 0.08, 1.2 * soft),
    ),
}  # fmt: skip


def _blossom(petals: int, hole: bool) -> Drawing:
    """A flower whose kind is told by the number of petals and by the hole in its middle."""

    def draw(x: np.ndarray, y: np.ndarray, soft: np.ndarray) -> np.ndarray:
        outline = 0.72 + 0.25 * np.cos(petals * np.arctan2(y, x))
        cover = edge(_radius(x, y) - outline, soft)
        return np.minimum(cover, 1 - edge(_radius(x, y) - 0.22, soft)) if hole else cover

    return draw


BLOSSOMS: dict[str, Drawing] = {
    f"{petals}_petals{'_hole' if hole else ''}": _blossom(petals, hole)
    for petals in (4, 5, 6, 7)
    for hole in (False, True)
}

FAMILIES: dict[str, dict[str, Drawing]] = {"shapes": SHAPES, "textures": TEXTURES, "blossoms": BLOSSOMS}


def drawn(
    family: str = "shapes",
    image_size: int = 32,
    train_size: int = 800,
    val_size: int = 240,
    test_size: int = 800,
    noise: float = 0.12,
    variation: float = 1.0,
    split: int = 0,
) -> Task:
    """A procedurally drawn task of eight classes.

    Args:
        family: `shapes` (easy), `textures` (no object, only pattern) or `blossoms` (fine-grained).
        image_size: Side in pixels.
        train_size: Images for training, as even over the classes as can be.
        val_size: Images for choosing.
        test_size: Images for the one test reading.
        noise: Standard deviation of the pixel noise, as a fraction of the full range; more is harder.
        variation: How freely pose and colours vary, as a fraction: at 0 all images of a class are alike but for noise,
            at 1 objects turn all the way and take any colours; more is harder.
        split: Seed of the draw.

    Raises:
        UserError: The family is unknown, or a size, the noise or the variation is out of range.
    """
    if family not in FAMILIES:
        raise UserError(f"unknown family {family!r} of drawn tasks; allowed: {choices(FAMILIES)}")
    for option, value in (("noise", noise), ("variation", variation)):
        if not 0.0 <= value <= 1.0:
            raise UserError(f"{option} must be a fraction from 0 to 1, got {value}")
    drawings = FAMILIES[family]
    check_sizes(family, (train_size, val_size, test_size), classes=len(drawings))
    parts = {}
    for number, (name, size) in enumerate((("train", train_size), ("val", val_size), ("test", test_size))):
        random = np.random.default_rng([split, number, sorted(FAMILIES).index(family)])
        labels = random.permutation(np.arange(size) % len(drawings)).astype(np.int64)
        images = np.empty((size, image_size, image_size, 3), dtype=np.uint8)
        for class_number, drawing in enumerate(drawings.values()):
            chosen = labels == class_number
            scene = Scene(image_size, noise, variation, fills_frame=family == "textures")
            images[chosen] = scene.draw(drawing, int(chosen.sum()), random)
        parts[name] = ArrayImages(images, labels)
    return Task(family, tuple(drawings), "top1", dict(parts), split)


@dataclass(frozen=True)
class Scene:
    """How objects are placed, coloured and disturbed; `fills_frame` lets a pattern cover the whole image."""

    size: int
    noise: float
    variation: float
    fills_frame: bool

    def draw(self, drawing: Drawing, count: int, random: np.random.Generator) -> np.ndarray:
        """Draw `count` images uint8 (count, size, size, 3).

        Args:
            drawing: What a class looks like.
            count: Number of images.
            random: Draws position, size, colour and noise.
        """

        def around(middle: float, reach: float) -> np.ndarray:
            return middle + self.variation * random.uniform(-reach, reach, size=(count, 1, 1))

        axis = (np.arange(self.size) + 0.5) / self.size * 2 - 1
        x, y = np.meshgrid(axis, axis)
        angle, scale = around(0.0, np.pi), around(0.9, 0.2) if self.fills_frame else around(0.65, 0.2)
        x, y = x - around(0.0, 0.2), y - around(0.0, 0.2)
        u, v = (np.cos(angle) * x + np.sin(angle) * y) / scale, (np.cos(angle) * y - np.sin(angle) * x) / scale
        cover = drawing(u, v, 2.0 / self.size / scale)[..., None]
        ground, ink = self._colours(count, random)
        shade = 1 + around(0.0, 0.25)[..., None] * y[..., None]
        image = (ground * (1 - cover) + ink * cover) * shade
        image += random.normal(0, self.noise, (count, self.size, self.size, 3))
        return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)

    def _colours(self, count: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Colours of ground and ink (count, 1, 1, 3), from dark and light (no variation) to any with some contrast."""
        free = random.uniform(0, 1, (2, count, 1, 1, 3))
        ground, ink = (1 - self.variation) * np.array([0.15, 0.85]).reshape(2, 1, 1, 1, 1) + self.variation * free
        alike = np.abs(ground - ink).max(axis=-1, keepdims=True) < 0.35
        return ground, np.where(alike, (ground + 0.5) % 1.0, ink)
