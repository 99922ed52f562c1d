"""`.npz` files of images: one pool, or the official splits that MedMNIST publishes."""

import zipfile
from pathlib import Path

import numpy as np

from mmbnft.utils.errors import UserError

SPLITS = ("train", "val", "test")


def read_arrays(path: Path, names: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """Read the named arrays of an `.npz` file, without unpickling anything.

    Args:
        path: The file.
        names: Arrays that must be there.
        optional: Arrays that are read if they are there.

    Raises:
        UserError: The file cannot be read or lacks an array.
    """
    try:
        with np.load(path, allow_pickle=False) as content:
            missing = [name for name in names if name not in content]
            if not missing:
                return {name: content[name] for name in (*names, *optional) if name in content}
            held = ", ".join(content.files)
    except (OSError, ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is not an .npz file of plain arrays ({error}); fetch or write it again") from error
    raise UserError(f"{path} lacks the array {', '.join(missing)}, it holds {held}; rename the arrays")


def _splits(path: Path) -> tuple[str, ...]:
    """Splits whose arrays the file names as MedMNIST does, `train_images` and so on."""
    try:
        with zipfile.ZipFile(path) as content:
            names = content.namelist()
    except (OSError, zipfile.BadZipFile):
        return ()  # whoever reads the arrays says what is wrong
    return tuple(split for split in SPLITS if any(name.startswith(f"{split}_") for name in names))


def read_pools(path: Path) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], tuple[str, ...]]:
    """Images and labels by split, or by `""` where the file has one pool; and class names, if it holds some.

    Splits are `{train,val,test}_{images,labels}`, a pool is `images` and `labels`; `names` are the class names.

    Returns:
        Images uint8 (N, H, W) or (N, H, W, 3) and labels int64 (N,) or multi-hot (N, C) by split; class names.

    Raises:
        UserError: An array is missing or has another type or shape.
    """
    splits = _splits(path) or ("",)
    prefixes = {split: f"{split}_" if split else "" for split in splits}
    wanted = tuple(f"{prefix}{kind}" for prefix in prefixes.values() for kind in ("images", "labels"))
    arrays = read_arrays(path, wanted, ("names",))
    pools = {}
    for split, prefix in prefixes.items():
        images = _images(arrays[f"{prefix}images"], f"{prefix}images in {path}")
        labels = _labels(arrays[f"{prefix}labels"], f"{prefix}labels in {path}")
        if len(images) != len(labels):
            raise UserError(
                f"{path}: {len(images)} {prefix}images but {len(labels)} {prefix}labels; give each one label"
            )
        pools[split] = images, labels
    if len({labels.shape[1:] for _, labels in pools.values()}) > 1:
        raise UserError(f"{path}: the labels of its splits have different shapes; use one shape for all")
    return pools, tuple(str(name) for name in arrays.get("names", np.array([], dtype=str)).ravel())


def _images(images: np.ndarray, where: str) -> np.ndarray:
    if images.ndim == 4 and images.shape[-1] == 1:
        images = images[..., 0]
    if images.dtype != np.uint8:
        raise UserError(f"{where} are {images.dtype}, whose range is not known; convert them to uint8, 0 to 255")
    if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[-1] != 3):
        raise UserError(
            f"{where} must be grey (N, H, W) or RGB (N, H, W, 3), got the shape {images.shape}; volumes and other "
            "channels are not read"
        )
    return images


def _labels(labels: np.ndarray, where: str) -> np.ndarray:
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    whole = labels.dtype.kind in "iub" or (labels.dtype.kind == "f" and bool((labels == np.round(labels)).all()))
    if labels.ndim not in (1, 2) or not len(labels) or not whole or labels.min() < 0:
        raise UserError(
            f"{where} must be whole numbers (N,), (N, 1) or multi-hot rows (N, C), got {labels.dtype} {labels.shape}"
        )
    if labels.ndim == 2 and labels.max() > 1:
        raise UserError(f"{where} have {labels.shape[1]} columns and must be 0 or 1, got {labels.max()}")
    return labels.astype(np.int64)
