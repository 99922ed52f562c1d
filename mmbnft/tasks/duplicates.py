"""Leakage between the splits of a task: the same picture, or nearly the same, in two lists.

Exact duplicates have equal decoded pixels. Near duplicates have perceptual hashes that differ in few bits: the signs of
the low frequencies of a discrete cosine transform against their median (Zauner, Implementation and Benchmarking of
Perceptual Image Hash Functions, 2010). Recompressed, resized, brightened and grey copies are found; mirrored or cropped
ones are not.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from scipy.fft import dctn

from mmbnft.tasks.images import Images, ListedImages
from mmbnft.tasks.progress_bars import in_threads
from mmbnft.tasks.task import SPLITS, Task, list_task
from mmbnft.utils import files
from mmbnft.utils.errors import UserError

SIDE = 64  # pixels an image is reduced to
FREQUENCIES = 16  # kept along each axis; 16 * 16 less the mean make 255 bits
BITS = FREQUENCIES**2 - 1
THRESHOLD = 25  # bits; see docs/tasks.md for what this finds and what it confuses
FLATTEST = 2.0  # grey levels; below this standard deviation the bits are noise, and only exact copies count
BLOCK = 4096  # images compared at once
SHOWN = 100  # pairs that task.json lists by name


class Fingerprint(NamedTuple):
    """What is compared of one image.

    Attributes:
        exact: Hex hash of the decoded pixels.
        signs: float32 (BITS,) of +1 and -1; all 0 for a flat image, which is then near to none.
    """

    exact: str
    signs: np.ndarray


@dataclass(frozen=True)
class DuplicatePair:
    """One picture in two lists.

    Attributes:
        splits: The two lists, e.g. `("train", "test")`.
        names: The image's name in each.
        distance: Bits that differ, 0 to `BITS`; -1 for equal pixels.
    """

    splits: tuple[str, str]
    names: tuple[str, str]
    distance: int

    @property
    def is_exact(self) -> bool:
        """Whether the decoded pixels are equal."""
        return self.distance < 0


def fingerprint(pixels: np.ndarray) -> Fingerprint:
    """The fingerprint of a uint8 RGB image (H, W, 3)."""
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    grey = Image.fromarray(pixels).convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    values = np.asarray(grey, dtype=np.float32)
    if values.std() < FLATTEST:
        return Fingerprint(digest.hexdigest(), np.zeros(BITS, dtype=np.float32))
    low = dctn(values, norm="ortho")[:FREQUENCIES, :FREQUENCIES].ravel()[1:]  # without the mean brightness
    return Fingerprint(digest.hexdigest(), np.where(low > np.median(low), 1, -1).astype(np.float32))


def find_duplicates(
    splits: Mapping[str, Images], threshold: int = THRESHOLD, known: dict[Path, Fingerprint] | None = None
) -> list[DuplicatePair]:
    """Pairs of pictures that are in two of the given splits; pairs within one split are no leakage.

    Args:
        splits: Images by split name.
        threshold: Bits that near duplicates may differ in, 0 to `BITS`.
        known: Fingerprints by image file from an earlier call, which this call reads and adds to; saves decoding where
            several official splits divide the same files.

    Raises:
        UserError: The threshold is out of range, or an image cannot be decoded.
    """
    if not 0 <= threshold <= BITS:
        raise UserError(f"the threshold must be 0 to {BITS} bits, got {threshold}; {THRESHOLD} is the usual one")
    prints = {name: _fingerprints(images, {} if known is None else known, name) for name, images in splits.items()}
    pairs: list[DuplicatePair] = []
    for first, second in combinations(splits, 2):
        for i, k, distance in _matches(prints[first], prints[second], threshold):
            names = splits[first].name(i), splits[second].name(k)
            pairs.append(DuplicatePair((first, second), names, distance))
    return sorted(pairs, key=lambda pair: (pair.distance, pair.splits, pair.names))


def _fingerprints(images: Images, known: dict[Path, Fingerprint], split: str) -> list[Fingerprint]:
    """Fingerprints in the order of the images."""

    def make(index: int) -> Fingerprint:
        if not isinstance(images, ListedImages):
            return fingerprint(images.pixels(index))
        path = images.folder / images.name(index)
        if path not in known:
            known[path] = fingerprint(images.pixels(index))
        return known[path]

    return list(in_threads(make, range(len(images)), f"comparing {split}"))


def _matches(
    first: Sequence[Fingerprint], second: Sequence[Fingerprint], threshold: int
) -> Iterator[tuple[int, int, int]]:
    """Positions in `first` and `second` and the distance of every pair of duplicates."""
    exact: defaultdict[str, list[int]] = defaultdict(list)
    for k, other in enumerate(second):
        exact[other.exact].append(k)
    for i, one in enumerate(first):
        yield from ((i, k, -1) for k in exact.get(one.exact, ()))
    for start in range(0, len(first), BLOCK):
        rows = np.stack([one.signs for one in first[start : start + BLOCK]])
        for begin in range(0, len(second), BLOCK):
            columns = np.stack([other.signs for other in second[begin : begin + BLOCK]])
            # Equal signs count +1 and different ones -1, so the product of two rows tells how many bits differ.
            near = np.argwhere(rows @ columns.T >= BITS - 2 * threshold)
            for i, k in near + np.array((start, begin)):
                if first[i].exact != second[k].exact:
                    yield int(i), int(k), int((BITS - first[i].signs @ second[k].signs) // 2)


def task_leakage(
    task: Task, threshold: int = THRESHOLD, known: dict[Path, Fingerprint] | None = None
) -> dict[str, Any]:
    """The leakage between train, val and test of one task, as task.json keeps it.

    Args:
        task: The task.
        threshold: Bits by which the fingerprints of near duplicates may differ.
        known: Fingerprints that were computed before, by path; new ones are added.

    Returns:
        `lists` and `contents` (hash of each list and of its images), `exact` and `near` (number of pairs), `between`
        (both by two splits, e.g. `train-test`), `threshold_bits`, and the first pairs by name.
    """
    pairs = find_duplicates({split: task.splits[split] for split in SPLITS}, threshold, known)
    between = {
        f"{first}-{second}": _counts([pair for pair in pairs if pair.splits == (first, second)])
        for first, second in combinations(SPLITS, 2)
    }
    return {
        "lists": task.hashes,
        "contents": {split: task.splits[split].content_hash for split in SPLITS},
        **_counts(pairs),
        "between": between,
        "threshold_bits": threshold,
        "pairs": [asdict(pair) for pair in pairs[:SHOWN]],
    }


def _counts(pairs: Sequence[DuplicatePair]) -> dict[str, int]:
    exact = sum(pair.is_exact for pair in pairs)
    return {"exact": exact, "near": len(pairs) - exact}


def check_leakage(folder: Path | str, threshold: int = THRESHOLD) -> dict[str, dict[str, Any]]:
    """Look for leakage in every split of a prepared task and store the outcome in its task.json.

    Args:
        folder: The task folder.
        threshold: As in `find_duplicates`.

    Returns:
        The outcome of `task_leakage` by split number.

    Raises:
        UserError: The folder is not a prepared task, or an image cannot be decoded.
    """
    folder = Path(folder)
    description = files.read_json(folder / "task.json")
    known: dict[Path, Fingerprint] = {}
    outcome: dict[str, dict[str, Any]] = {}
    for path in sorted((folder / "lists").iterdir(), key=lambda path: int(path.name)):
        outcome[path.name] = task_leakage(list_task(str(folder), split=int(path.name)), threshold, known)
    description["leakage"] = {"threshold_bits": threshold, "of_bits": BITS, "splits": outcome}
    files.write_json(folder / "task.json", description)
    return outcome
