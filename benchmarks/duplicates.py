"""What the search for near duplicates finds and what it confuses, on array files of real pictures.

Example: python benchmarks/duplicates.py clothing.npz sign_digits.npz caltech101.npz
"""

import argparse
import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from mmbnft.tasks.duplicates import BITS, THRESHOLD, fingerprint
from mmbnft.tasks.npz import read_arrays
from mmbnft.utils.command import run_command


def jpeg(picture: Image.Image, quality: int) -> Image.Image:
    """The picture after JPEG compression."""
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality)
    return Image.open(stream)


def resized(picture: Image.Image, factor: float) -> Image.Image:
    """The picture at another size."""
    return picture.resize((round(picture.width * factor), round(picture.height * factor)), Image.Resampling.BICUBIC)


COPIES = {
    "JPEG 50": lambda picture: jpeg(picture, 50),
    "halved": lambda picture: resized(picture, 0.5),
    "brighter by 20": lambda picture: picture.point(lambda value: min(255, value + 20)),
    "grey": lambda picture: picture.convert("L").convert("RGB"),
    "3/4 and JPEG 75": lambda picture: jpeg(resized(picture, 0.75), 75),
}


def signs(pictures: list[Image.Image]) -> np.ndarray:
    """(N, BITS) signs of the hashes."""
    return np.stack([fingerprint(np.asarray(picture.convert("RGB"))).signs for picture in pictures])


def report(path: Path, copies: int, pool: int) -> str:
    """One row: the share of copies found of each kind, and the pairs of different pictures that are called near."""
    images = read_arrays(path, ("images",))["images"]
    order = np.random.default_rng(0).permutation(len(images))
    pictures = [Image.fromarray(image) for image in images[order[: max(copies, pool)]]]
    originals = signs(pictures[:pool])
    cells = []
    for change in COPIES.values():
        changed = signs([change(picture) for picture in pictures[:copies]])
        distance = (BITS - (originals[:copies] * changed).sum(axis=1)) / 2
        cells.append(f"{100 * np.mean(distance <= THRESHOLD):.1f} %")
    distances = (BITS - originals @ originals.T) / 2
    upper = np.triu_indices(len(originals), 1)
    near = f"{int((distances[upper] <= THRESHOLD).sum())} of {len(upper[0]):,}"
    return "| " + " | ".join([path.stem, *cells, near]) + " |"


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, help="array files with `images`, uint8 (N, H, W, 3)")
    parser.add_argument("--copies", type=int, default=300, help="pictures that are copied in each way")
    parser.add_argument("--pool", type=int, default=1500, help="pictures of which every pair is compared")
    args = parser.parse_args()
    columns = ["pictures", *COPIES, "pairs called near"]
    print("| " + " | ".join(columns) + " |\n|" + " --- |" * len(columns))
    for path in args.files:
        print(report(path, args.copies, args.pool))
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
