"""Reads the photographs to pre-train on: an array file, or the official Caltech-101 folder."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from mmbnft.tasks.arrays import read_arrays
from mmbnft.utils import files
from mmbnft.utils.errors import UserError

# Clutter without an object, and pictures of identifiable people.
LEFT_OUT = ("BACKGROUND_Google", "Faces", "Faces_easy")
ARCHIVE_FOLDER = "101_ObjectCategories"
SUFFIXES = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class ImageSet:
    """Unlabelled pictures.

    Attributes:
        images: uint8 array of shape (N, H, W, 3), RGB.
        description: Where they come from, in words and without paths.
        sha256: Hex hash of shape and pixels; equal pictures give an equal hash, whatever file they came in.
    """

    images: np.ndarray
    description: str
    sha256: str

    def describe(self) -> dict[str, object]:
        """What a record keeps about the pictures."""
        count, height, width, _ = self.images.shape
        return {
            "images": count,
            "height": height,
            "width": width,
            "description": self.description,
            "pixels_sha256": self.sha256,
        }


def pixels_sha256(images: np.ndarray) -> str:
    """Hex SHA-256 of the shape and the bytes of a uint8 array."""
    digest = hashlib.sha256(",".join(map(str, images.shape)).encode("ascii"))
    digest.update(np.ascontiguousarray(images).tobytes())
    return digest.hexdigest()


def read_images(path: Path | str, size: int) -> ImageSet:
    """Read an `.npz` file with the array `images`, or a Caltech-101 folder.

    Args:
        path: The file, taken as it is, or the folder.
        size: Side of the square to which pictures of a folder are cropped and resized, pixels.

    Raises:
        UserError: Nothing is there, the folder has no pictures, or a file cannot be decoded.
    """
    source = Path(path)
    if source.is_dir():
        return _read_folder(source, size)
    if not source.is_file():
        raise UserError(
            f"there is no file or folder {source}; give an .npz file with the array `images` or the folder "
            f"{ARCHIVE_FOLDER} of the Caltech-101 archive"
        )
    images = read_arrays(source, ("images",))["images"]
    check_images(images, source)
    description = f"{len(images)} pictures of an array file with SHA-256 {files.sha256_file(source)}"
    return ImageSet(images, description, pixels_sha256(images))


def check_images(images: np.ndarray, path: Path) -> None:
    """Refuse anything but a non-empty uint8 array of shape (N, H, W, 3)."""
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3 or 0 in images.shape:
        raise UserError(
            f"images in {path} must be a uint8 array of shape (N, height, width, 3), got {images.dtype} {images.shape}"
        )


def _read_folder(folder: Path, size: int) -> ImageSet:
    root = folder / ARCHIVE_FOLDER if (folder / ARCHIVE_FOLDER).is_dir() else folder
    paths = [
        path
        for path in sorted(root.glob("*/*"))
        if path.suffix.lower() in SUFFIXES and path.parent.name not in LEFT_OUT
    ]
    if not paths:
        raise UserError(
            f"{root} has no pictures in class folders (CLASS/image_0001.jpg, {', '.join(LEFT_OUT)} left out); "
            f"give the folder {ARCHIVE_FOLDER} of the Caltech-101 archive"
        )
    images = np.stack([_read_picture(path, size) for path in paths])
    classes = len({path.parent.name for path in paths})
    description = (
        f"{len(paths)} pictures of {classes} class folders without {', '.join(LEFT_OUT)}; "
        f"centre-cropped, area-resized to {size} x {size}"
    )
    return ImageSet(images, description, pixels_sha256(images))


def _read_picture(path: Path, size: int) -> np.ndarray:
    """Decode one file to uint8 (size, size, 3): upright, RGB, centre-cropped to a square, area-resized."""
    try:
        with Image.open(path) as opened:
            picture = ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise UserError(f"{path} is not a readable picture ({error}); replace or remove the file") from error
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    # Averaging over areas is undefined when enlarging.
    resampling = Image.Resampling.BOX if side >= size else Image.Resampling.BICUBIC
    square = picture.resize((size, size), resampling, box=(left, top, left + side, top + side))
    return np.asarray(square)
