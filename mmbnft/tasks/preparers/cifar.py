"""What CIFAR-10 and CIFAR-100 share: pickled pixel rows, exported as PNG files so that lists can name them."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mmbnft.tasks.preparers.base import Entry
from mmbnft.tasks.progress_bars import progress
from mmbnft.utils import files
from mmbnft.utils.errors import UserError

SIDE = 32
# What a pickled NumPy array needs; anything else in the file could run code.
ALLOWED = {
    ("_reconstruct", "multiarray"): np._core.multiarray._reconstruct,  # type: ignore[attr-defined]
    ("ndarray", "numpy"): np.ndarray,
    ("dtype", "numpy"): np.dtype,
}


class _ArrayUnpickler(pickle.Unpickler):
    """Restores arrays, lists and text, and refuses everything else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("_codecs", "encode"):
            return _encode
        try:
            return ALLOWED[name, module.rpartition(".")[2]]
        except KeyError:
            raise pickle.UnpicklingError(f"it wants {module}.{name}, which no array needs") from None


def _encode(text: str, encoding: str) -> bytes:
    """Stands for `codecs.encode`, which older pickles call to restore bytes."""
    return text.encode(encoding)


def read_batch(path: Path) -> dict[str, Any]:
    """Read one batch or meta file.

    Raises:
        UserError: It is missing, damaged, or holds anything but arrays, lists and text.
    """
    try:
        with path.open("rb") as stream:
            content = _ArrayUnpickler(stream, encoding="latin1").load()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); give the whole official archive") from error
    except Exception as error:  # a damaged pickle makes the reader stumble in many ways
        raise UserError(f"{path} is not a batch of CIFAR ({error}); download the archive again") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} holds a {type(content).__name__}; expected the official dictionary")
    return content


def field(batch: dict[str, Any], name: str, path: Path) -> Any:
    """One entry of a batch.

    Args:
        batch: An unpickled batch.
        name: Name of the entry.
        path: The batch's file, for the message.

    Raises:
        UserError: The batch has no such entry.
    """
    if name not in batch:
        raise UserError(f"{path} has no entry {name!r}; expected the official file")
    return batch[name]


def export(paths: list[Path], label_field: str, part: str, images: Path) -> list[Entry]:
    """Write the images of some batches as `PART/NNNNN.png`, numbered in batch order; files that exist are kept.

    Args:
        paths: Batch files.
        label_field: Entry that holds the class numbers.
        part: `train` or `test`.
        images: Folder to write to.

    Raises:
        UserError: A batch is not as published.
    """
    entries: list[Entry] = []
    for path in paths:
        batch = read_batch(path)
        rows, labels = np.asarray(field(batch, "data", path)), field(batch, label_field, path)
        if rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape != (len(labels), 3 * SIDE * SIDE):
            raise UserError(f"{path}: expected {len(labels)} rows of {3 * SIDE * SIDE} bytes, found {rows.shape}")
        pixels = rows.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)  # planes R, G, B to (N, H, W, 3)
        for image, label in zip(progress(pixels, f"exporting {path.name}"), labels, strict=True):
            name = f"{part}/{len(entries):05d}.png"
            entries.append(Entry(name, int(label)))
            _write_png(images / name, image)
    return entries


def _write_png(path: Path, image: np.ndarray) -> None:
    if not path.is_file():
        files.write_with(path, lambda stream: Image.fromarray(image).save(stream, format="PNG"))
