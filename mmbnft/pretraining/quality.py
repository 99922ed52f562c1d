"""How good frozen features are on a held-out task: k nearest neighbours and a linear classifier.

Settings are fixed beforehand and equal for every checkpoint and for random weights, so nothing is chosen on test data.
Accuracies are percentages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn import functional

from mmbnft import compat
from mmbnft.host import build_backbone
from mmbnft.pretraining.photographs import check_images, pixels_sha256, read_arrays
from mmbnft.utils.errors import UserError

NEIGHBOURS = 10
TEST_SHARE = 0.3
BATCH = 256


@dataclass(frozen=True)
class LabelledSet:
    """A held-out task.

    Attributes:
        name: File stem.
        images: uint8 array of shape (N, H, W, 3), RGB.
        labels: int64 array of shape (N,).
        sha256: Hex hash of the pixels.
    """

    name: str
    images: np.ndarray
    labels: np.ndarray
    sha256: str


def read_labelled(path: Path | str) -> LabelledSet:
    """Read an `.npz` file with the arrays `images` and `labels`.

    Raises:
        UserError: The file is missing, damaged, or its arrays do not fit.
    """
    source = Path(path)
    if not source.is_file():
        raise UserError(f"there is no task file {source}; give an .npz file with the arrays `images` and `labels`")
    arrays = read_arrays(source, ("images", "labels"))
    images, labels = arrays["images"], arrays["labels"]
    check_images(images, source)
    if labels.shape != (len(images),) or not np.issubdtype(labels.dtype, np.integer):
        raise UserError(
            f"labels in {source} must be {len(images)} integers, one per image, got {labels.dtype} {labels.shape}"
        )
    rarest = np.unique(labels, return_counts=True)[1]
    if len(rarest) < 2 or rarest.min() < 2:
        raise UserError(f"{source} needs at least two classes of two images each, the rarest has {rarest.min()}")
    return LabelledSet(source.stem, images, labels, pixels_sha256(images))


def shrink(images: np.ndarray, size: int) -> np.ndarray:
    """Average areas: uint8 (N, H, W, 3) to float32 (N, size, size, 3) in 0..1.

    Raises:
        UserError: The pictures are smaller than `size`.
    """
    _, height, width, _ = images.shape
    if size > min(height, width):
        raise UserError(f"pictures of {height} x {width} are smaller than the {size} x {size} of these checkpoints")
    pictures = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    return functional.interpolate(pictures, (size, size), mode="area").permute(0, 2, 3, 1).numpy()


@torch.no_grad()
def features(
    backbone: nn.Module, images: np.ndarray, normalisation: Mapping[str, Sequence[float]], size: int
) -> np.ndarray:
    """Pooled features of the last stage, float32 of shape (N, channels); the backbone is put into eval mode.

    Args:
        backbone: The network.
        images: uint8 (N, H, W, 3), RGB.
        normalisation: `mean` and `std`, three numbers each on a 0..1 scale.
        size: Pixels of a side that images are reduced to.
    """
    backbone.eval()
    mean, std = (np.array(normalisation[name], dtype=np.float32) for name in ("mean", "std"))
    rows = []
    for start in range(0, len(images), BATCH):
        pictures = (shrink(images[start : start + BATCH], size) - mean) / std
        maps = backbone(torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))))[-1]
        rows.append(maps.mean(dim=(2, 3)).numpy())  # (B, C, h, w) to (B, C)
    return np.concatenate(rows)


def accuracies(rows: np.ndarray, labels: np.ndarray, seeds: Sequence[int]) -> dict[str, list[float]]:
    """Test accuracy in percent of both classifiers, one value per stratified random split.

    Args:
        rows: Features of shape (N, C).
        labels: Classes of shape (N,).
        seeds: One split each; 70 % to fit, 30 % to test.
    """
    found: dict[str, list[float]] = {"knn": [], "linear": []}
    for seed in seeds:
        fit, test, fit_labels, test_labels = train_test_split(
            rows, labels, test_size=TEST_SHARE, random_state=seed, stratify=labels
        )
        neighbours = KNeighborsClassifier(min(NEIGHBOURS, len(fit)), metric="cosine")
        linear = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=2000))
        for name, classifier in (("knn", neighbours), ("linear", linear)):
            classifier.fit(fit, fit_labels)
            found[name].append(100 * float(classifier.score(test, test_labels)))
    return found


def random_backbone(architecture: Mapping[str, Any], seed: int) -> nn.Module:
    """The same network with freshly drawn weights, as it is before pre-training."""
    with compat.quiet_host(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        backbone = build_backbone(dict(architecture))
        backbone.init_weights()
    backbone.eval()  # the host's returns None
    return backbone
