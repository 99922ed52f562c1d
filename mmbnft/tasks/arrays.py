"""A task from one array file: small images of one size, with official splits or divided by a seeded draw."""

from pathlib import Path

import numpy as np

from mmbnft.tasks.images import ArrayImages
from mmbnft.tasks.npz import read_arrays, read_pools
from mmbnft.tasks.preparers.draws import stratified
from mmbnft.tasks.task import SPLITS, Task
from mmbnft.utils.errors import UserError

__all__ = ["array_task", "read_arrays"]


def array_task(path: str, name: str | None = None, metric: str | None = None, split: int = 0) -> Task:
    """Build a task from an `.npz` file of images and labels, as MedMNIST publishes them or as one pool.

    `{train,val,test}_{images,labels}` are kept as they are. Of a pool, `images` and `labels`, every class is divided
    60/20/20 into train, val and test, so it needs at least three images.

    Args:
        path: The file; images uint8 grey (N, H, W) or RGB (N, H, W, 3), labels whole numbers (N,) or (N, 1) from 0, or
            multi-hot rows (N, C); if classes have names, `names` text (C,).
        name: Task name; the stem of the file by default.
        metric: Name of the metric; `top1` by default, `roc_auc` for multi-hot rows.
        split: Seed of the draw; 0 where the file has splits.

    Raises:
        UserError: The file cannot be read, an array is missing or does not fit, or a class is too small.
    """
    file = Path(path)
    pools, names = read_pools(file)
    multi_label = any(labels.ndim == 2 for _, labels in pools.values())
    count = max(labels.shape[1] if multi_label else int(labels.max()) + 1 for _, labels in pools.values())
    if not names:
        names = tuple(str(number) for number in range(count))
    if len(names) < count:
        raise UserError(f"names in {file} must be one text for each class 0 to {count - 1}, got {len(names)}")
    if "" in pools:
        pools = _divided(*pools[""], split, file)
    elif missing := [part for part in SPLITS if part not in pools]:
        raise UserError(
            f"{file} has no arrays of {' and '.join(missing)}; prepare it with mmbnft prepare-data npz, which draws "
            "val from train"
        )
    elif split != 0:
        raise UserError(f"{file} has official splits and so only split 0, got {split}")
    splits = {part: ArrayImages(_as_rgb(images), _labels(labels)) for part, (images, labels) in pools.items()}
    usual = "roc_auc" if multi_label else "top1"
    return Task(name or file.stem, names, metric or usual, dict(splits), split, multi_label)


def _divided(images: np.ndarray, labels: np.ndarray, seed: int, file: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    if labels.ndim == 2:
        raise UserError(f"{file} has several labels per image and no splits; name its arrays train_images and so on")
    parts = zip(SPLITS, stratified(labels.tolist(), seed=seed), strict=True)
    return {part: (images[numbers], labels[numbers]) for part, numbers in parts}


def _as_rgb(images: np.ndarray) -> np.ndarray:
    return images if images.ndim == 4 else np.repeat(images[..., None], 3, axis=-1)


def _labels(labels: np.ndarray) -> np.ndarray:
    return labels if labels.ndim == 1 else labels.astype(np.uint8)
