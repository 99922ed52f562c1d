"""The hand-written digits that ship with scikit-learn: 1,797 real 8 x 8 scans, nothing to download."""

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from mmbnft.tasks.images import ArrayImages
from mmbnft.tasks.sizes import check_sizes
from mmbnft.tasks.task import Task


def digits(
    image_size: int = 32, train_size: int = 1000, val_size: int = 297, test_size: int = 500, split: int = 0
) -> Task:
    """Optical recognition of handwritten digits (Alpaydin and Kaynak, UCI 1998), stratified by class.

    Args:
        image_size: Side in pixels to which the 8 x 8 scans are enlarged (bilinear).
        train_size: Images for training.
        val_size: Images for choosing.
        test_size: Images for the one test reading; the three sizes may add up to 1,797 at most.
        split: Number of the random split; each number is another stratified draw.

    Raises:
        UserError: The sizes do not fit the data.
    """
    scans, labels = load_digits(return_X_y=True)
    check_sizes("digits", (train_size, val_size, test_size), classes=10, limit=len(labels))
    images = np.stack([_enlarge(scan.reshape(8, 8), image_size) for scan in scans])
    labels = labels.astype(np.int64)
    rest = np.arange(len(labels))
    parts = {}
    # Test is drawn first, so that it stays the same when the training sizes change.
    for name, size in (("test", test_size), ("val", val_size), ("train", train_size)):
        if size == len(rest):
            chosen, rest = rest, rest[:0]
        else:
            chosen, rest = train_test_split(rest, train_size=size, random_state=split, stratify=labels[rest])
        parts[name] = ArrayImages(images[np.sort(chosen)], labels[np.sort(chosen)])
    return Task("digits", tuple(str(digit) for digit in range(10)), "top1", dict(parts), split)


def _enlarge(scan: np.ndarray, size: int) -> np.ndarray:
    grey = Image.fromarray((scan * (255 / 16)).astype(np.uint8))
    return np.asarray(grey.resize((size, size), Image.Resampling.BILINEAR).convert("RGB"))
