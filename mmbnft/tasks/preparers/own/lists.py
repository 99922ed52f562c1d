"""Lists of images: one line an image, its name and its class (or its group)."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from mmbnft.tasks.preparers.own.found import Found, Sample, is_number, order_classes
from mmbnft.tasks.preparers.own.naming import Naming
from mmbnft.tasks.preparers.readers import text_of
from mmbnft.utils.errors import UserError
from mmbnft.utils.wording import counted

DELIMITERS = {"\t": "tabs", ",": "commas", ";": "semicolons", " ": "spaces"}
PROBED = 50  # lines whose names are looked up to tell one delimiter from another
SPLITS_OF = {1: ("",), 2: ("train", "test"), 3: ("train", "val", "test")}


class Row(NamedTuple):
    """A line of a list: its number, the image's name as written, and what follows it."""

    line: int
    name: str
    field: str


def read_lists(paths: Sequence[Path], images: Path) -> Found:
    """Read one list of everything, or those of train and test, or of train, val and test.

    Raises:
        UserError: A line is malformed or names an image again, or labels are written in several ways.
    """
    rows, remarks = [], []
    for path in paths:
        found, told = read_rows(path, images)
        rows.append(found)
        remarks += told
    naming = Naming(images, [row.name for part in rows for row in part])
    labels, told = whole_numbers([row.field for part in rows for row in part])
    remarks += [*naming.remarks, *told]
    samples: list[Sample] = []
    seen: dict[str, str] = {}
    for path, part, split in zip(paths, rows, SPLITS_OF[len(paths)], strict=True):
        for row in part:
            where = f"{path}:{row.line}"
            name = naming.name(row.name, where)
            if name in seen:
                raise UserError(f"{where}: {name} is already listed at {seen[name]}; every image belongs to one list")
            seen[name] = where
            samples.append(Sample(name, images / name, (labels[row.field],), split))
    classes = order_classes((sample.labels[0] for sample in samples), ", ".join(str(path) for path in paths))
    remarks += negative_classes(classes)
    return Found(tuple(samples), classes, remarks=tuple(remarks))


def read_rows(path: Path, images: Path) -> tuple[list[Row], list[str]]:
    """The lines of a list, cut at the last delimiter; blank lines, comments and a header are left out.

    The delimiter is the one that leaves most names of existing files. A line beginning with `#` is a comment, and the
    first line a header, if no such file exists.

    Returns:
        The rows, and remarks about what was understood.

    Raises:
        UserError: The file cannot be read or is empty, or a line has no delimiter.
    """
    numbered = [(k, line.strip()) for k, line in enumerate(text_of(path).splitlines(), start=1) if line.strip()]

    def exists(line: str) -> bool:
        return any((images / name).is_file() for delimiter in DELIMITERS if (name := _cut(line, delimiter)[0]))

    lines = [(k, line) for k, line in numbered if not line.startswith("#") or exists(line)]
    remarks = (
        [f"{path}: {counted(len(numbered) - len(lines), 'comment line')} left out"]
        if len(lines) < len(numbered)
        else []
    )
    if not lines:
        raise UserError(f"{path} has no line; expected lines 'RELATIVE/NAME CLASS'")
    delimiter = _delimiter([line for _, line in lines], images)
    rows = []
    for k, line in lines:
        name, field = _cut(line, delimiter)
        if not name or not field:
            raise UserError(
                f"{path}:{k}: expected 'NAME CLASS' separated by {DELIMITERS[delimiter]} as in the other lines, got "
                f"{line!r}; correct the line"
            )
        rows.append(Row(k, name, field))
    if _is_header(rows, lambda row: exists(row.name + delimiter + row.field)):
        remarks.append(f"{path}: the first line is a header ({rows[0].name}, {rows[0].field})")
        rows = rows[1:]
    return rows, remarks


def whole_numbers(labels: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Labels as classes are called: where all are written `0.0`, `1.0` and so on, `0` and `1`; with a remark."""
    unique = dict.fromkeys(labels)
    short = {label: label.removesuffix(".0") for label in unique}
    if unique and all(label.endswith(".0") and is_number(short[label]) for label in unique):
        return short, ["labels are whole numbers written with .0, and taken without it"]
    return {label: label for label in unique}, []


def negative_classes(classes: Sequence[str]) -> list[str]:
    """A remark where a label may say that there is none."""
    negative = [name for name in classes if is_number(name) and int(name) < 0]
    if not negative or len(classes) == 2:
        return []
    return [f"the label {negative[0]} counts as a class of its own; leave out images without a label"]


def _cut(line: str, delimiter: str) -> tuple[str, str]:
    name, _, field = line.rpartition(delimiter)
    return name.strip().strip('"'), field.strip().strip('"')


def _delimiter(lines: Sequence[str], images: Path) -> str:
    """The delimiter that leaves most names of existing files; of equals, the first one that all lines hold."""
    step = max(1, len(lines) // PROBED)
    probed = lines[::step]

    def found(delimiter: str) -> tuple[int, bool]:
        names = [_cut(line, delimiter)[0] for line in probed]
        there = sum(bool(name) and ((images / name).is_file() or _tail_exists(name, images)) for name in names)
        return there, all(delimiter in line for line in probed[1:] or probed)

    return max(DELIMITERS, key=found)


def _tail_exists(name: str, images: Path) -> bool:
    """Whether the last two parts of an absolute name exist below the image folder, or a file with some suffix does."""
    parts = name.replace("\\", "/").split("/")
    return len(parts) > 1 and (images / "/".join(parts[-2:])).is_file()


def _is_header(rows: Sequence[Row], exists: Callable[[Row], bool]) -> bool:
    if len(rows) < 2 or exists(rows[0]) or not exists(rows[1]):
        return False
    return rows[0].field not in {row.field for row in rows[1:]}
