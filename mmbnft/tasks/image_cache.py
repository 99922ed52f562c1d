"""Images decoded once and kept on disk, for all runs of a grid and all data-loading processes."""

import importlib.metadata
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mmbnft.tasks.decoding import decoding_versions
from mmbnft.tasks.images import Images, JoinedImages, ListedImages
from mmbnft.utils import files
from mmbnft.utils.disk_cache import CacheError, DiskCache

logger = logging.getLogger("mmbnft.cache")
# Transforms that make of an RGB image always the same RGB image: what can be kept in the place of the image.
KEPT_TRANSFORMS = frozenset({"Resize", "CenterCrop", "Pad", "BnftShrink"})
AHEAD = 64  # images decoded ahead of writing
SAMPLE = 16  # images from which the size of all is estimated


def kept_steps(pipeline: Sequence[dict[str, Any]]) -> int:
    """Number of transforms at the beginning of a pipeline whose outcome can be kept."""
    for number, step in enumerate(pipeline):
        if step["type"] not in KEPT_TRANSFORMS:
            return number
    return len(pipeline)


class ImageCache:
    """Keeps the pixels of images as they leave the first, unchanging transforms of a pipeline.

    An entry is keyed by the list, the transforms, the versions of the decoding libraries, and each file's size and
    times, so that a changed image is decoded again. What comes out is bit for bit what decoding would give.

    Args:
        folder: Where the entries are.
        limit_bytes: What all entries together may take; images that do not fit are decoded anew each time, with a
            warning.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self.disk = DiskCache(folder, limit_bytes)

    def keep(
        self, images: Images, steps: Sequence[dict[str, Any]], transform: Callable[[Image.Image], Image.Image]
    ) -> Images:
        """The same images after the given transforms, made when first asked for.

        Args:
            images: Images of lists, or several of them joined.
            steps: Configuration of the transforms, all of them of `KEPT_TRANSFORMS`.
            transform: What `steps` describe.
        """
        if isinstance(images, JoinedImages):
            return JoinedImages([self.keep(part, steps, transform) for part in images.parts])
        assert isinstance(images, ListedImages)
        return _KeptImages(self.disk, images, steps, transform)


class _KeptImages(Images):
    """Images of a list in one memory-mapped entry: all pixels one after the other, then heights and widths."""

    def __init__(
        self,
        disk: DiskCache,
        source: ListedImages,
        steps: Sequence[dict[str, Any]],
        transform: Callable[[Image.Image], Image.Image],
    ) -> None:
        self.disk, self.source, self.steps, self.transform = disk, source, list(steps), transform
        self.labels, self.identity = source.labels, source.identity
        self._values: np.ndarray | None = None
        self._refused = False

    def __getstate__(self) -> dict[str, Any]:
        """Without the pixels: a process that is sent this opens them itself."""
        return self.__dict__ | {"_values": None}

    def open(self) -> None:
        """See `Images`."""
        if self._values is not None or self._refused:
            return
        try:
            values = self.disk.blocks(self._key(), self._blocks)
        except CacheError as error:
            logger.warning("%s; the images of %s are decoded anew each time", error, self.source.annotations.path)
            self._refused = True
            return
        split = len(values) - len(self) * 2 * np.dtype(np.int64).itemsize
        self._shapes = np.array(values[split:]).view(np.int64).reshape(len(self), 2)
        self._starts = np.concatenate([[0], np.cumsum(3 * self._shapes.prod(axis=1))])
        self._values = np.asarray(values)

    def pixels(self, index: int) -> np.ndarray:
        """See `Images`; read only."""
        self.open()
        if self._values is None:
            return self._make(index)
        height, width = self._shapes[index]
        return self._values[self._starts[index] : self._starts[index + 1]].reshape(height, width, 3)

    def name(self, index: int) -> str:
        """See `Images`."""
        return self.source.name(index)

    def _make(self, index: int) -> np.ndarray:
        return np.asarray(self.transform(Image.fromarray(self.source.pixels(index))))

    def _key(self) -> str:
        states = [(self.source.folder / name).stat() for name in self.source.annotations.names]
        return files.sha256_json(
            {
                "list": self.identity,
                "files": [(s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for s in states],
                "steps": self.steps,
                "decoding": decoding_versions(),
                "transforms": importlib.metadata.version("torchvision"),
            }
        )

    def _blocks(self) -> Iterator[np.ndarray]:
        shapes = np.empty((len(self), 2), dtype=np.int64)
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # decoding and resizing release Python's lock
            sample = np.linspace(0, len(self) - 1, min(SAMPLE, len(self))).astype(int)
            expected = int(np.mean([pixels.size for pixels in pool.map(self._make, sample)]) * len(self))
            if expected > self.disk.limit_bytes:
                raise CacheError(
                    f"the {len(self):,} images of {self.source.annotations.path} would take about {expected:,} bytes "
                    f"of the cache {self.disk.folder}, whose limit is {self.disk.limit_bytes:,}; raise it or set the "
                    "recipe's stored_side"
                )
            for start in range(0, len(self), AHEAD):
                numbers = range(start, min(start + AHEAD, len(self)))
                for number, pixels in zip(numbers, pool.map(self._make, numbers), strict=True):
                    shapes[number] = pixels.shape[:2]
                    yield pixels.reshape(-1)
        yield shapes.reshape(-1).view(np.uint8)
