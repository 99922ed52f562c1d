"""Arrays of images as a task folder: every image becomes a PNG file."""

from pathlib import Path

from mmbnft.tasks.npz import read_pools
from mmbnft.tasks.preparers.own.found import Found, Sample, order_classes
from mmbnft.utils.errors import UserError


def read_arrays_file(path: Path) -> Found:
    """Read an `.npz` file as MedMNIST publishes them, or one with `images` and `labels`.

    Raises:
        UserError: The arrays do not fit; see `read_pools`.
    """
    pools, names = read_pools(path)
    multi_label = any(labels.ndim == 2 for _, labels in pools.values())
    highest = max(labels.shape[1] - 1 if multi_label else int(labels.max()) for _, labels in pools.values())
    if names and len(names) <= highest:
        raise UserError(f"names in {path} must be one text for each class 0 to {highest}, got {len(names)}")
    samples = []
    for split, (images, labels) in pools.items():
        folder = split or "all"
        for k, (pixels, label) in enumerate(zip(images, labels, strict=True)):
            numbers = label.nonzero()[0] if multi_label else [label]
            own = tuple(names[number] if names else str(number) for number in numbers)
            samples.append(Sample(f"{folder}/{k:06d}.png", pixels, own, split))
    used = {label for sample in samples for label in sample.labels}
    ordered = order_classes(used, str(path))
    classes = tuple(name for name in names if name in used) if names else ordered
    kind = "grey" if next(iter(pools.values()))[0].ndim == 3 else "RGB"
    sizes = ", ".join(f"{split or 'all'} {len(labels):,}" for split, (_, labels) in pools.items())
    several = ", an image may carry several classes" if multi_label else ""
    return Found(tuple(samples), classes, multi_label, (f"{path}: {kind} images, {sizes}{several}",))
