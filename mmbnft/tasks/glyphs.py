"""A procedural task of many classes: invented characters, each written anew in every image, nothing to download.

A character is a few pen strokes, a stroke a curve through three points of a grid. Every image is written by another
hand: its points wander, and the sheet is turned, moved, coloured and disturbed. Colours do not depend on the class.
"""

import numpy as np

from mmbnft.tasks.drawn import Drawing, Scene, edge
from mmbnft.tasks.images import ArrayImages
from mmbnft.tasks.sizes import check_sizes
from mmbnft.tasks.task import Task
from mmbnft.utils.errors import UserError

STROKES = (2, 3, 4)  # strokes of a character, drawn with equal chances
GRID = 4  # places a side from which the points of a stroke are drawn
SEGMENTS = 4  # straight pieces that a stroke is rendered with
PEN = 0.13  # half the width of a stroke, in the frame where a character spans -1 to 1


def glyphs(
    classes: int = 64,
    image_size: int = 32,
    train_size: int = 1280,
    val_size: int = 640,
    test_size: int = 640,
    noise: float = 0.05,
    variation: float = 0.12,
    hand: float = 0.12,
    alphabet: int = 0,
    split: int = 0,
) -> Task:
    """Invented characters of as many classes as asked for.

    Args:
        classes: Number of characters.
        image_size: Side in pixels.
        train_size: Images for training, as even over the classes as can be.
        val_size: Images for choosing.
        test_size: Images for the one test reading.
        noise: Standard deviation of the pixel noise, as a fraction of the full range.
        variation: How freely pose and colours vary, as a fraction; see `drawn`.
        hand: Standard deviation of each point of a stroke, as a fraction of half the character.
        alphabet: Seed of the characters themselves.
        split: Seed of the images.

    Raises:
        UserError: A number or a fraction is out of range.
    """
    if not isinstance(classes, int) or classes < 2:
        raise UserError(f"classes of glyphs must be a whole number from 2, got {classes!r}")
    for option, value in (("noise", noise), ("variation", variation), ("hand", hand)):
        if not 0.0 <= value <= 1.0:
            raise UserError(f"{option} must be a fraction from 0 to 1, got {value}")
    check_sizes("glyphs", (train_size, val_size, test_size), classes)
    scene = Scene(image_size, noise, variation, fills_frame=False)
    parts = {}
    for number, (name, size) in enumerate((("train", train_size), ("val", val_size), ("test", test_size))):
        labels = np.random.default_rng([split, number]).permutation(np.arange(size) % classes).astype(np.int64)
        images = np.empty((size, image_size, image_size, 3), dtype=np.uint8)
        for class_number in range(classes):
            chosen = np.flatnonzero(labels == class_number)
            random = np.random.default_rng([split, number, alphabet, class_number])
            drawing = _written(character(alphabet, class_number), hand, len(chosen), random)
            images[chosen] = scene.draw(drawing, len(chosen), random)
        parts[name] = ArrayImages(images, labels)
    return Task("glyphs", tuple(f"glyph_{c:03d}" for c in range(classes)), "top1", dict(parts), split)


def character(alphabet: int, number: int) -> np.ndarray:
    """The strokes (S, 3, 2) of one character: start, middle and end of each, in -1..1."""
    random = np.random.default_rng([alphabet, number])
    strokes = int(random.choice(STROKES))
    places = np.stack([random.choice(GRID * GRID, size=3, replace=False) for _ in range(strokes)])
    return np.stack([places % GRID, places // GRID], axis=-1) * (1.8 / (GRID - 1)) - 0.9


def _written(strokes: np.ndarray, hand: float, count: int, random: np.random.Generator) -> Drawing:
    """A drawing in which each of `count` images has its own version of the strokes."""
    points = strokes + random.normal(0, hand, (count, *strokes.shape))
    time = np.linspace(0, 1, SEGMENTS + 1)[:, None]
    # The quadratic curve that passes its middle point half way.
    start, middle, end = (points[:, :, i, None, :] for i in range(3))
    pull = 2 * middle - (start + end) / 2
    curve = (1 - time) ** 2 * start + 2 * time * (1 - time) * pull + time**2 * end

    def draw(x: np.ndarray, y: np.ndarray, soft: np.ndarray) -> np.ndarray:
        x, y = x.astype(np.float32), y.astype(np.float32)
        nearest = np.full(x.shape, np.inf, np.float32)
        for stroke in range(curve.shape[1]):
            for piece in range(SEGMENTS):
                ends = curve[:, stroke, piece], curve[:, stroke, piece + 1]
                np.minimum(nearest, _squared_distance(x, y, *ends), out=nearest)
        return edge(np.sqrt(nearest) - PEN, soft)

    return draw


def _squared_distance(x: np.ndarray, y: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Squared distance (N, S, S) of every pixel to the straight piece from `start` to `end`, both (N, 2)."""
    x0, y0 = start.T.astype(np.float32)[:, :, None, None]
    dx, dy = (end - start).T.astype(np.float32)[:, :, None, None]
    right, down = x - x0, y - y0
    along = np.clip((right * dx + down * dy) / np.maximum(dx**2 + dy**2, 1e-12), 0, 1)
    return (right - along * dx) ** 2 + (down - along * dy) ** 2
