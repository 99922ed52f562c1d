"""CSV files with a header: a path and a label column, or one column a class; splits and groups if there are any."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmbnft.tasks.preparers.own.found import Found, Sample, order_classes, split_of
from mmbnft.tasks.preparers.own.lists import negative_classes, whole_numbers
from mmbnft.tasks.preparers.own.naming import Naming
from mmbnft.tasks.preparers.readers import text_of
from mmbnft.utils.errors import UserError

# What columns are called, in lower case with underscores.
COLUMNS = {
    "path": "path image_path file_path filepath file_name filename file image image_file image_name img img_path name "
    "image_id id",
    "label": "label labels class classes class_name class_label target category y",
    "split": "split subset set partition",
    "group": "group groups group_id patient patient_id subject subject_id signer signer_id",
}
ROLES = {title: role for role, titles in COLUMNS.items() for title in titles.split()}
DELIMITERS = (",", ";", "\t")
SEPARATORS = ("|", ";", ",")  # of several labels in one cell, the least ambiguous first
PRESENT, ABSENT = ("1", "1.0", "true"), ("0", "0.0", "false", "")


@dataclass(frozen=True)
class _Table:
    """Rows of a file with what its columns are for."""

    path: Path
    titles: list[str]
    columns: dict[str, int]  # column number by role
    rows: list[tuple[int, list[str]]]  # line number and cells

    @property
    def others(self) -> list[int]:
        """Columns without a role."""
        return [k for k in range(len(self.titles)) if k not in self.columns.values()]


def read_table(path: Path, images: Path, separator: str | None = None) -> Found:
    """Read a CSV file separated by commas, semicolons or tabs, with or without a byte order mark.

    The header names a path column, and a label column or else one column a class that holds 0 and 1; a split and a
    group column are read if there are any. `COLUMNS` holds the names.

    Args:
        path: The file.
        images: What paths are relative to.
        separator: Separates several labels in one cell; None to recognise `|`, `;` or `,`, empty for none.

    Raises:
        UserError: A column is missing or ambiguous, or a row is malformed or names an image again.
    """
    table = _read(path)
    if "label" in table.columns:
        labels, multi_label, remarks = _labels_of_cells(table, separator)
    else:
        labels, multi_label, remarks = _labels_of_columns(table)
    naming = Naming(images, [_cell(row, table, "path") for _, row in table.rows])
    samples: list[Sample] = []
    seen: dict[str, int] = {}
    for (line, row), own in zip(table.rows, labels, strict=True):
        where = f"{path}:{line}"
        name = naming.name(_cell(row, table, "path"), where)
        if name in seen:
            raise UserError(f"{where}: {name} is named already on line {seen[name]}; give every image one row")
        seen[name] = line
        split = split_of(_cell(row, table, "split"), where) if "split" in table.columns else ""
        samples.append(Sample(name, images / name, own, split, _cell(row, table, "group")))
    classes = order_classes((label for own in labels for label in own), str(path))
    used = ", ".join(f"{table.titles[k]} is the {role}" for role, k in table.columns.items())
    remarks = [f"{path}: {used}", *remarks, *naming.remarks, *negative_classes(classes)]
    return Found(tuple(samples), classes, multi_label, tuple(remarks))


def _read(path: Path) -> _Table:
    lines = [line for line in text_of(path).splitlines() if line.strip()]
    if not lines:
        raise UserError(f"{path} is empty; expected a header such as path,label and one row an image")
    delimiter = max(DELIMITERS, key=lambda mark: ("path" in _roles(_titles(lines[0], mark)), lines[0].count(mark)))
    titles = _titles(lines[0], delimiter)
    columns = _roles(titles)
    if "path" not in columns:
        raise UserError(
            f"{path}: no column of the header ({', '.join(titles)}) names the image; call it path (or one of "
            f"{COLUMNS['path'].replace(' ', ', ')})"
        )
    reader = csv.reader(text_of(path).splitlines(), delimiter=delimiter, skipinitialspace=True)
    rows = []
    for cells in reader:
        if not any(cell.strip() for cell in cells) or reader.line_num == 1:
            continue
        if len(cells) != len(titles):
            raise UserError(
                f"{path}:{reader.line_num}: {len(cells)} cells where the header has {len(titles)}; quote cells that "
                f"hold the delimiter {delimiter!r}"
            )
        rows.append((reader.line_num, [cell.strip() for cell in cells]))
    if not rows:
        raise UserError(f"{path} has a header but no row; expected one row an image")
    return _Table(path, titles, columns, rows)


def _titles(line: str, delimiter: str) -> list[str]:
    return [title.strip() for title in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))]


def _roles(titles: Sequence[str]) -> dict[str, int]:
    """Column of each role; of several candidates the one that comes first in `COLUMNS`."""
    plain = [title.casefold().replace(" ", "_").replace("-", "_") for title in titles]
    found: dict[str, int] = {}
    for role, names in COLUMNS.items():
        matches = [name for name in names.split() if name in plain]
        if matches:
            found[role] = plain.index(matches[0])
    return found


def _cell(row: Sequence[str], table: _Table, role: str) -> str:
    return row[table.columns[role]] if role in table.columns else ""


def _labels_of_cells(table: _Table, separator: str | None) -> tuple[list[tuple[str, ...]], bool, list[str]]:
    cells = [_cell(row, table, "label") for _, row in table.rows]
    if separator is None:
        separator = next((mark for mark in SEPARATORS if any(mark in cell for cell in cells)), "")
    remarks = [f"{table.path}: the column {table.titles[k]} is not used" for k in table.others]
    if not separator:
        for (line, _), cell in zip(table.rows, cells, strict=True):
            if not cell:
                raise UserError(f"{table.path}:{line}: the image has no label; give it one or leave the row out")
        short, told = whole_numbers(cells)
        return [(short[cell],) for cell in cells], False, remarks + told
    remarks.append(
        f"{table.path}: labels in one cell are separated by {separator!r}, so an image may carry several "
        "(--label-separator '' takes a cell as one label)"
    )
    return [tuple(dict.fromkeys(_parts(cell, separator))) for cell in cells], True, remarks


def _parts(cell: str, separator: str) -> list[str]:
    return [part.strip() for part in cell.split(separator) if part.strip()]


def _labels_of_columns(table: _Table) -> tuple[list[tuple[str, ...]], bool, list[str]]:
    """One column a class; one class an image if every row has a single 1."""
    if len(table.others) < 2:
        raise UserError(
            f"{table.path}: no column of the header ({', '.join(table.titles)}) holds labels; call it label (or one of "
            f"{COLUMNS['label'].replace(' ', ', ')}), or give one column a class with 0 and 1"
        )
    labels = []
    for line, row in table.rows:
        for k in table.others:
            if row[k].casefold() not in PRESENT + ABSENT:
                raise UserError(
                    f"{table.path}:{line}: the column {table.titles[k]} holds {row[k]!r}; without a label column every "
                    "other column is a class and holds 0 or 1, so add a label column or remove the others"
                )
        labels.append(tuple(table.titles[k] for k in table.others if row[k].casefold() in PRESENT))
    multi_label = any(len(own) != 1 for own in labels)
    how = "an image may carry several" if multi_label else "every image has one"
    return labels, multi_label, [f"{table.path}: {len(table.others)} columns are classes; {how}"]
