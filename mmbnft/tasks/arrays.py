"""A task from one array file: small images of one size, divided by a seeded draw."""

import zipfile
from pathlib import Path

import numpy as np

from mmbnft.tasks.images import ArrayImages
from mmbnft.tasks.preparers.draws import stratified
from mmbnft.tasks.registry import TASKS
from mmbnft.tasks.task import SPLITS, Task
from mmbnft.utils.errors import UserError


@TASKS.register_module()
def array_task(path: str, name: str | None = None, metric: str = "top1", split: int = 0) -> Task:
    """Build a task from an `.npz` file with `images`, `labels` and, if classes have names, `names`.

    Every class is divided 60/20/20 into train, val and test, so it needs at least three images.

    Args:
        path: The file; `images` uint8 (N, H, W, 3), `labels` whole numbers (N,) from 0, `names` text (C,).
        name: Task name; the stem of the file by default.
        metric: Name of the metric.
        split: Seed of the draw.

    Raises:
        UserError: The file cannot be read, an array is missing or does not fit, or a class is too small.
    """
    file = Path(path)
    arrays = read_arrays(file, ("images", "labels"), ("names",))
    labels = _labels(arrays["labels"], file)
    names = arrays.get("names", np.arange(labels.max() + 1).astype(str))
    if names.ndim != 1 or len(names) <= labels.max():
        raise UserError(f"names in {file} must be one text for each class 0 to {labels.max()}, got shape {names.shape}")
    everything = ArrayImages(arrays["images"], labels)
    parts = zip(SPLITS, stratified(labels.tolist(), seed=split), strict=True)
    splits = {part: ArrayImages(everything.images[numbers], labels[numbers]) for part, numbers in parts}
    return Task(name or file.stem, tuple(str(n) for n in names), metric, dict(splits), split)


def _labels(labels: np.ndarray, file: Path) -> np.ndarray:
    if labels.ndim != 1 or not len(labels) or labels.dtype.kind not in "iu" or labels.min() < 0:
        raise UserError(f"labels in {file} must be whole numbers (N,) from 0, got {labels.dtype} {labels.shape}")
    return labels.astype(np.int64)


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
