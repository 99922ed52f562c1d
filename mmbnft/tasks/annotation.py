"""Annotation lists: one image a line, `RELATIVE/NAME CLASS_NUMBER`, the format of the published code.

Names may contain spaces, so a line is cut at its last space. A multi-label task writes its class numbers joined by
commas (`000005.jpg 8,14`), which a single class number cannot express, and `-` for an image that shows none of the
classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmbnft.utils import files
from mmbnft.utils.errors import UserError

NO_CLASS = "-"  # what a multi-label task writes where no class is present


@dataclass(frozen=True)
class AnnotationList:
    """A parsed list.

    Attributes:
        path: The list file; messages name it.
        names: Image names relative to the task's image folder, in file order.
        labels: int64 (N,) class numbers, or uint8 (N, C) multi-hot rows of a multi-label task.
        lines: 1-based line number of each entry.
        part: What of the list these entries are; empty for all of it.
    """

    path: Path
    names: tuple[str, ...]
    labels: np.ndarray
    lines: tuple[int, ...]
    part: str = ""

    @property
    def identity(self) -> str:
        """Hex hash of the file, and of the part where it is not all."""
        whole = files.sha256_file(self.path)
        return files.sha256_json([whole, self.part]) if self.part else whole

    def at_most(self, each: int, seed: int) -> "AnnotationList":
        """At most `each` images of every class, drawn without replacement and kept in file order.

        Args:
            each: Images of a class.
            seed: Of the draw.

        Raises:
            UserError: Images have several classes.
        """
        if self.labels.ndim == 2:
            raise UserError(f"{self.path} has several classes per image, so it cannot be cut to {each} of each class")
        order = np.random.default_rng(seed).permutation(len(self.names))
        kept = np.sort(np.concatenate([order[self.labels[order] == c][:each] for c in np.unique(self.labels)]))
        return AnnotationList(
            self.path,
            tuple(self.names[i] for i in kept),
            self.labels[kept],
            tuple(self.lines[i] for i in kept),
            f"{each} of each class, seed {seed}",
        )


def read_list(path: Path | str, num_classes: int, multi_label: bool = False) -> AnnotationList:
    """Read and check an annotation list.

    Args:
        path: The list file, UTF-8.
        num_classes: Class numbers must lie in 0..num_classes-1.
        multi_label: Whether a line may carry several class numbers.

    Raises:
        UserError: The file is missing or empty, or a line is malformed, repeated or out of range; the message names
            file and line.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot read the list {path}: {error.strerror}; prepare the task first") from error
    except UnicodeDecodeError as error:
        raise UserError(f"the list {path} is not UTF-8 text ({error.reason} at byte {error.start})") from error
    names: list[str] = []
    numbers: list[list[int]] = []
    lines: list[int] = []
    seen: dict[str, int] = {}
    for line_number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        name, classes = _parse_line(line, f"{path}:{line_number}", num_classes, multi_label)
        if name in seen:
            raise UserError(f"{path}:{line_number}: {name!r} is already listed on line {seen[name]}; remove one")
        seen[name] = line_number
        names.append(name)
        numbers.append(classes)
        lines.append(line_number)
    if not names:
        raise UserError(f"the list {path} has no line; expected at least one 'RELATIVE/NAME CLASS_NUMBER'")
    return AnnotationList(path, tuple(names), _labels(numbers, num_classes, multi_label), tuple(lines))


def _parse_line(line: str, where: str, num_classes: int, multi_label: bool) -> tuple[str, list[int]]:
    name, _, field = line.rstrip().rpartition(" ")
    name = name.strip()
    if not name:
        raise UserError(f"{where}: expected 'RELATIVE/NAME CLASS_NUMBER', got {line!r}")
    if multi_label and field == NO_CLASS:
        return name, []
    parts = field.split(",") if multi_label else [field]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise UserError(f"{where}: the class number must be 0 to {num_classes - 1}, got {field!r}")
    classes = [int(part) for part in parts]
    if any(number >= num_classes for number in classes):
        raise UserError(f"{where}: class number {field} is out of range; the task has classes 0 to {num_classes - 1}")
    return name, classes


def _labels(numbers: list[list[int]], num_classes: int, multi_label: bool) -> np.ndarray:
    if not multi_label:
        return np.array([classes[0] for classes in numbers], dtype=np.int64)
    hot = np.zeros((len(numbers), num_classes), dtype=np.uint8)
    for row, classes in enumerate(numbers):
        hot[row, classes] = 1
    return hot


def write_list(path: Path | str, names: Sequence[str], labels: np.ndarray) -> None:
    """Write a list atomically; `labels` as in `AnnotationList`.

    Args:
        path: The file.
        names: Of the images, relative to their folder.
        labels: As in `AnnotationList`.

    Raises:
        UserError: A name cannot be written on one line, or lengths differ.
    """
    if len(names) != len(labels):
        raise UserError(f"cannot write {path}: {len(names)} names but {len(labels)} labels")
    lines = []
    for name, label in zip(names, labels, strict=True):
        if name != name.strip() or len(name.splitlines()) != 1:
            raise UserError(
                f"cannot write {path}: the image name {name!r} has surrounding spaces or a line break; rename it"
            )
        field = ",".join(str(c) for c in np.flatnonzero(label)) or NO_CLASS if np.ndim(label) else str(int(label))
        lines.append(f"{name} {field}\n")
    files.write_text(path, "".join(lines))
