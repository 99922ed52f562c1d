"""Where a split's pixels come from: memory or files, behind one small interface."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from mmbnft.tasks.annotation import AnnotationList
from mmbnft.tasks.decoding import decode_rgb
from mmbnft.tasks.file_hashes import FileHashes
from mmbnft.utils.errors import UserError


class Images(ABC):
    """The labelled images of one split.

    Attributes:
        labels: int64 (N,) class numbers, or uint8 (N, C) multi-hot rows.
        identity: Hex hash of the list, or of the pixels and labels of images in memory.
        in_memory: Whether the pixels are there without reading a file.
    """

    labels: np.ndarray
    identity: str
    in_memory: bool = False

    def __len__(self) -> int:
        """Number of images."""
        return len(self.labels)

    def open(self) -> None:  # noqa: B027
        """Make ready what data-loading processes will share; to be called before they start."""

    @abstractmethod
    def pixels(self, index: int) -> np.ndarray:
        """Image `index` as uint8 RGB (H, W, 3)."""

    @abstractmethod
    def name(self, index: int) -> str:
        """What to call image `index` in a message or a table."""

    def locate(self, index: int) -> tuple["Images", int]:
        """The images that hold image `index` themselves, and its number there."""
        return self, index

    def contents(self) -> tuple[str, ...]:
        """Hex hash of every image's own content, whatever it is called: of the pixels, or of the bytes of its file."""
        return self._contents

    @cached_property
    def _contents(self) -> tuple[str, ...]:
        return tuple(_pixel_hash(self.pixels(index)) for index in range(len(self)))

    @property
    def content_hash(self) -> str:
        """Hex hash of all contents and labels in their order."""
        digest = hashlib.sha256(repr(self.labels.shape).encode())
        digest.update(np.ascontiguousarray(self.labels, dtype=np.int64).data)
        digest.update("".join(self.contents()).encode("ascii"))
        return digest.hexdigest()


def _pixel_hash(pixels: np.ndarray) -> str:
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


class ArrayImages(Images):
    """Images held in memory.

    Args:
        images: uint8 RGB (N, H, W, 3).
        labels: int64 (N,) or uint8 (N, C).

    Raises:
        UserError: Shapes or types do not fit.
    """

    in_memory = True

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
            raise UserError(f"images must be uint8 of shape (N, H, W, 3), got {images.dtype} {images.shape}")
        if len(images) != len(labels):
            raise UserError(f"every image needs a label, got {len(images)} images and {len(labels)} labels")
        self.images = np.ascontiguousarray(images)
        self.labels = labels
        digest = hashlib.sha256(repr((images.shape, labels.shape, str(labels.dtype))).encode())
        digest.update(self.images.data)
        digest.update(np.ascontiguousarray(labels).data)
        self.identity = digest.hexdigest()

    def pixels(self, index: int) -> np.ndarray:
        """See `Images`."""
        return self.images[index]

    def name(self, index: int) -> str:
        """See `Images`."""
        return f"image {index}"

    @cached_property
    def _contents(self) -> tuple[str, ...]:
        return tuple(_pixel_hash(pixels) for pixels in self.images)  # without a look at the labels

    @property
    def content_hash(self) -> str:
        """See `Images`."""
        return self.identity


class ListedImages(Images):
    """Images named by an annotation list and decoded when asked for.

    Args:
        annotations: The parsed list.
        folder: What the names are relative to.

    Raises:
        UserError: A listed file does not exist; the message names list and line.
    """

    def __init__(self, annotations: AnnotationList, folder: Path | str) -> None:
        self.annotations = annotations
        self.folder = Path(folder)
        self.labels = annotations.labels
        self.identity = annotations.identity
        for index in range(len(self)):
            if not (self.folder / annotations.names[index]).is_file():
                raise UserError(
                    f"{self._where(index)}: image {self.folder / annotations.names[index]} does not exist; "
                    "prepare the task again or correct the list"
                )

    def pixels(self, index: int) -> np.ndarray:
        """See `Images`.

        Raises:
            UserError: The file is gone or damaged; the message names list and line.
        """
        return decode_rgb(self.folder / self.annotations.names[index], self._where(index))

    def name(self, index: int) -> str:
        """See `Images`."""
        return self.annotations.names[index]

    def contents(self) -> tuple[str, ...]:
        """See `Images`; files that changed are read again at every call.

        Raises:
            UserError: A file is gone or cannot be read.
        """
        return FileHashes(self.folder).of(self.annotations.names)

    def _where(self, index: int) -> str:
        return f"{self.annotations.path}:{self.annotations.lines[index]}"


class JoinedImages(Images):
    """Several splits one after the other, e.g. train and val for the refit."""

    def __init__(self, parts: Sequence[Images]) -> None:
        self.parts = tuple(parts)
        self.labels = np.concatenate([part.labels for part in self.parts])
        self.identity = "+".join(part.identity for part in self.parts)
        self.in_memory = all(part.in_memory for part in self.parts)
        self._starts = np.cumsum([0] + [len(part) for part in self.parts])

    def open(self) -> None:
        """See `Images`."""
        for part in self.parts:
            part.open()

    def pixels(self, index: int) -> np.ndarray:
        """See `Images`."""
        part, inner = self.locate(index)
        return part.pixels(inner)

    def name(self, index: int) -> str:
        """See `Images`."""
        part, inner = self.locate(index)
        return part.name(inner)

    def contents(self) -> tuple[str, ...]:
        """See `Images`."""
        return tuple(value for part in self.parts for value in part.contents())

    def locate(self, index: int) -> tuple[Images, int]:
        """See `Images`."""
        which = int(np.searchsorted(self._starts, index, side="right")) - 1
        return self.parts[which].locate(index - int(self._starts[which]))
