"""Images a second and core of decode + RandomResizedCrop(224) + flip, from files and from the image cache, in one run.

    python benchmarks/image_speed.py [--images 200] [--side 256] [--repeats 5]

JPEG files of 500 x 375 pixels are made first, from two photographs by a seeded draw. Every repeat times each arm once
over all images, in turn, so that a drift of the machine's speed meets all of them alike. Printed: median images a
second, the median of the repeats' ratios to decoding each time, and their range; then what making the cache costs, and
how far the pixels of a crop from a stored image are from those of the same crop from the original.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

from mmbnft.tasks import BnftShrink, ImageCache, Task, TaskDataset
from mmbnft.tasks.annotation import read_list, write_list
from mmbnft.tasks.images import ListedImages

WIDTH, HEIGHT, QUALITY, CROP = 500, 375, 90, 224
AUGMENTED = [{"type": "RandomResizedCrop", "size": CROP}, {"type": "RandomHorizontalFlip"}]
EVALUATED = [{"type": "Resize", "size": 256}, {"type": "CenterCrop", "size": CROP}]
TENSOR = [{"type": "ToTensor"}]
LIMIT = 2**40


def picture(photographs: list[np.ndarray], random: np.random.Generator) -> Image.Image:
    """A random part of a random photograph, mirrored or not."""
    photograph = photographs[random.integers(len(photographs))]
    top = random.integers(photograph.shape[0] - HEIGHT + 1)
    left = random.integers(photograph.shape[1] - WIDTH + 1)
    window = photograph[top : top + HEIGHT, left : left + WIDTH]
    return Image.fromarray(window[:, ::-1] if random.integers(2) else window)


def make_task(folder: Path, count: int) -> Task:
    """A task of `count` JPEG files from the photographs that ship with scikit-learn; only its train list is used."""
    random, photographs = np.random.default_rng(0), load_sample_images().images
    (folder / "images").mkdir()
    names = [f"{number:05}.jpg" for number in range(count)]
    for name in names:
        picture(photographs, random).save(folder / "images" / name, quality=QUALITY)
    labels = np.arange(count) % 2
    write_list(folder / "list.txt", names, labels)
    images = ListedImages(read_list(folder / "list.txt", 2), folder / "images")
    return Task("pictures", ("even", "odd"), "top1", dict.fromkeys(("train", "val", "test"), images))


def arms(task: Task, folder: Path, side: int) -> dict[str, TaskDataset]:
    """Data sets by description; the first is the baseline, and that of its group."""
    shrink = {"type": "BnftShrink", "side": side}
    stored, raw, fixed = (ImageCache(folder / name, LIMIT) for name in ("stored", "raw", "fixed"))
    return {
        "train, decoded each time": TaskDataset(task, "train", [*AUGMENTED, *TENSOR], 0),
        "train, cached as decoded": TaskDataset(task, "train", [*AUGMENTED, *TENSOR], 0, raw),
        f"train, stored_side={side}, decoded": TaskDataset(task, "train", [shrink, *AUGMENTED, *TENSOR], 0),
        f"train, stored_side={side}, cached": TaskDataset(task, "train", [shrink, *AUGMENTED, *TENSOR], 0, stored),
        "evaluation, decoded each time": TaskDataset(task, "train", [*EVALUATED, *TENSOR]),
        "evaluation, cached": TaskDataset(task, "train", [*EVALUATED, *TENSOR], None, fixed),
    }


def seconds(dataset: TaskDataset) -> float:
    """Time to hand out every image once, on one core."""
    started = time.perf_counter()
    for index in range(len(dataset)):
        _ = dataset[index]
    return time.perf_counter() - started


def measure(datasets: dict[str, TaskDataset], repeats: int) -> None:
    """Time all arms in turn and print the table."""
    cost = {}
    for name, dataset in datasets.items():
        started = time.perf_counter()
        dataset.open()
        cost[name] = time.perf_counter() - started
        _ = seconds(dataset)  # warms up
    taken: dict[str, list[float]] = {name: [] for name in datasets}
    for repeat in range(repeats):
        for name, dataset in datasets.items():
            dataset.epoch = repeat  # other crops
            taken[name].append(seconds(dataset))
    print(f"{'arm':<36} {'images/s':>9} {'ratio':>6}  {'range':<11} {'filling (s)':>11}")
    baseline: list[float] = []
    for name, times in taken.items():
        if name.endswith("each time"):
            baseline = times
        ratios = [b / t for b, t in zip(baseline, times, strict=True)]
        rates = statistics.median(len(datasets[name]) / t for t in times)
        print(f"{name:<36} {rates:>9.0f} {statistics.median(ratios):>6.2f}  {min(ratios):.2f}-{max(ratios):.2f}   "
              f"{cost[name]:>11.1f}")  # fmt: skip


def differences(task: Task, side: int) -> None:
    """Compare equal crops of the original and of the stored image, by share of the picture that the crop takes."""
    shrink, random = BnftShrink(side), np.random.default_rng(1)
    print(f"mean absolute difference (of 255) between crops of the original and of the image stored at {side}:")
    for share in (0.08, 0.25, 0.5, 1.0):
        found = []
        for index in range(len(task.splits["train"])):
            image = Image.fromarray(task.splits["train"].pixels(index))
            stored = shrink(image)
            width, height = (round(length * share**0.5) for length in stored.size)
            left, top = random.integers(stored.width - width + 1), random.integers(stored.height - height + 1)
            box = np.array([left, top, left + width, top + height])
            near = stored.resize((CROP, CROP), Image.Resampling.BILINEAR, box=tuple(box))
            scale = np.tile(np.array(image.size) / stored.size, 2)
            exact = image.resize((CROP, CROP), Image.Resampling.BILINEAR, box=tuple(box * scale))
            found.append(np.abs(np.asarray(exact, dtype=float) - np.asarray(near)).mean())
        print(f"  crop of {share:>4.0%} of the picture: {np.mean(found):.2f} ({min(found):.2f}-{max(found):.2f})")


def main() -> None:
    """Make pictures, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        task = make_task(folder, args.images)
        size = sum(path.stat().st_size for path in (folder / "images").iterdir()) / args.images
        print(f"{args.images} JPEG files of {WIDTH} x {HEIGHT} pixels, quality {QUALITY}, {size / 1e3:.0f} kB each, "
              f"{args.repeats} repeats, one process")  # fmt: skip
        measure(arms(task, folder, args.side), args.repeats)
        for kind in ("raw", "stored", "fixed"):
            size = ImageCache(folder / kind, LIMIT).disk.size_bytes / args.images
            print(f"{kind} entry: {size / 1e3:.0f} kB an image")
        differences(task, args.side)


if __name__ == "__main__":
    main()
