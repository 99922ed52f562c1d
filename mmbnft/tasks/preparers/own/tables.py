"""CSV files with a header: a path and a label column, or one column a class; splits and groups if there are any."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
DELIMITERS = (",", ";", "\t")
SEPARATORS = ("|", ";", ",")  # of several labels in one cell, the least ambiguous first
PRESENT, ABSENT = ("1", "1.0", "true"), ("0", "0.0", "false", "")


@dataclass(frozen=True)
class Table:
    """Rows of a file with what its columns are for."""

    path: Path
    titles: list[str]
    columns: dict[str, int]  # column number by role
    rows: list[tuple[int, list[Any]]]  # line number and cells: texts, or lists of labels

    @property
    def others(self) -> list[int]:
        """Columns without a role."""
        return [k for k in range(len(self.titles)) if k not in self.columns.values()]


def read_table(path: Path, images: Path, separator: str | None = None, label: str | None = None) -> Found:
    """Read a CSV file separated by commas, semicolons or tabs, with or without a byte order mark.

    The header names a path column, and a label column or else one column a class that holds 0 and 1; a split and a
    group column are read if there are any. `COLUMNS` holds the names.

    Args:
        path: The file.
        images: What paths are relative to.
        separator: Separates several labels in one cell; None to recognise `|`, `;` or `,`, empty for none.
        label: Title of the label column; None to recognise it.

    Raises:
        UserError: A column is missing or ambiguous, or a row is malformed or names an image again.
    """
    return found_in_table(_read(path, label), images, separator)


def labels_of_table(table: Table, separator: str | None) -> tuple[list[tuple[str, ...]], bool, list[str]]:
    """Labels of each row, whether an image may carry several, and remarks."""
    return _labels_of_cells(table, separator) if "label" in table.columns else _labels_of_columns(table)


def found_in_table(table: Table, images: Path, separator: str | None) -> Found:
    """The images of a table; see `read_table`.

    Args:
        table: The table.
        images: Folder that its paths are relative to.
        separator: What separates several labels in a cell; None to find out.
    """
    path = table.path
    labels, multi_label, remarks = labels_of_table(table, separator)
    naming = Naming(images, [_cell(row, table, "path") for _, row in table.rows])
    samples: list[Sample] = []
    seen: dict[str, int] = {}
    for (line, row), own in zip(table.rows, labels, strict=True):
        where = f"{path}:{line}"
        name = naming.name(_cell(row, table, "path"), where)
        if name in seen:
            raise UserError(f"{where}: {name} is already named on line {seen[name]}; give every image one row")
        seen[name] = line
        split = split_of(_cell(row, table, "split"), where) if "split" in table.columns else ""
        samples.append(Sample(name, images / name, own, split, _cell(row, table, "group")))
    classes = order_classes((label for own in labels for label in own), str(path))
    used = ", ".join(f"{table.titles[k]} is the {role}" for role, k in table.columns.items())
    remarks = [f"{path}: {used}", *remarks, *naming.remarks, *negative_classes(classes)]
    return Found(tuple(samples), classes, multi_label, tuple(remarks))


def _read(path: Path, label: str | None) -> Table:
    titles, rows = read_rows_of(path)
    columns = find_roles(titles, label)
    if "path" not in columns:
        raise UserError(
            f"{path}: no column of the header ({', '.join(titles)}) names the image; call it path (or one of "
            f"{COLUMNS['path'].replace(' ', ', ')})"
        )
    return Table(path, titles, columns, rows)


def read_rows_of(path: Path) -> tuple[list[str], list[tuple[int, list[Any]]]]:
    """Titles of a CSV file, and line number and cells of its rows.

    Raises:
        UserError: It is empty or a row is malformed.
    """
    # Spreadsheets put a first line `sep=;` before the header; what else splits lines in Python stays in its cell.
    lines = (
        re.sub(r"\A\s*sep=.\s*$", "", text_of(path), flags=re.MULTILINE)
        .replace("\r\n", "\n")
        .replace("\r", "\n")
        .split("\n")
    )
    filled = [line for line in lines if line.strip()]
    if not filled:
        raise UserError(f"{path} is empty; expected a header such as path,label and one row per image")
    delimiter = max(
        DELIMITERS, key=lambda mark: ("path" in find_roles(_titles(filled[0], mark), None), filled[0].count(mark))
    )
    titles = _titles(filled[0], delimiter)
    reader = csv.reader((line + "\n" for line in lines), delimiter=delimiter, skipinitialspace=True)
    rows: list[tuple[int, list[Any]]] = []
    header = True
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        if header:
            header = False
            continue
        if len(cells) != len(titles):
            raise UserError(
                f"{path}:{reader.line_num}: {len(cells)} cells where the header has {len(titles)}; quote cells that "
                f"hold the delimiter {delimiter!r}"
            )
        rows.append((reader.line_num, [cell.strip() for cell in cells]))
    if not rows:
        raise UserError(f"{path} has a header but no row; expected one row per image")
    return titles, rows


def _titles(line: str, delimiter: str) -> list[str]:
    return [title.strip() for title in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))]


def find_roles(titles: Sequence[str], label: str | None) -> dict[str, int]:
    """Column of each role; of several candidates the one that comes first in `COLUMNS`.

    Args:
        titles: Of all columns.
        label: Title of the label column; None to recognise it.

    Raises:
        UserError: There is no such column.
    """
    plain = [title.casefold().replace(" ", "_").replace("-", "_") for title in titles]
    found: dict[str, int] = {}
    for role, names in COLUMNS.items():
        matches = [name for name in names.split() if name in plain]
        if matches:
            found[role] = plain.index(matches[0])
    if label is not None and label not in titles:
        raise UserError(f"there is no column {label!r}; there are: {', '.join(titles)}")
    return found if label is None else found | {"label": list(titles).index(label)}


def _cell(row: Sequence[Any], table: Table, role: str) -> Any:
    return row[table.columns[role]] if role in table.columns else ""


def _labels_of_cells(table: Table, separator: str | None) -> tuple[list[tuple[str, ...]], bool, list[str]]:
    cells = [_cell(row, table, "label") for _, row in table.rows]
    remarks = [f"{table.path}: the column {table.titles[k]} is not used" for k in table.others]
    if any(isinstance(cell, list) for cell in cells):
        lists = [cell if isinstance(cell, list) else _parts(cell, ",") for cell in cells]
        remarks.append(f"{table.path}: labels are lists, so an image may carry several")
        return [tuple(dict.fromkeys(cell)) for cell in lists], True, remarks
    if separator is None:
        separator = next((mark for mark in SEPARATORS if any(mark in cell for cell in cells)), "")
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
    """Labels of a cell; brackets and quotes of a list written out (`['a', 'b']`) are no part of them."""
    if cell.startswith("[") and cell.endswith("]"):
        cell = cell[1:-1].replace("'", "").replace('"', "")
    return [part.strip() for part in cell.split(separator) if part.strip()]


def _labels_of_columns(table: Table) -> tuple[list[tuple[str, ...]], bool, list[str]]:
    """One column a class; one class an image if every row has a single 1."""
    if len(table.others) < 2:
        raise UserError(
            f"{table.path}: no column of the header ({', '.join(table.titles)}) holds labels; call it label (or one of "
            f"{COLUMNS['label'].replace(' ', ', ')}), or give one column per class with 0 and 1"
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
