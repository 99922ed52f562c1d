"""Tables in files that others wrote: any delimiter, decimal comma, percent signs, spreads, averages among the rows."""

import csv
import math
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mmbnft.ranking.checks import Finding
from mmbnft.ranking.table import COORDINATES, COSTS, ERROR, REQUIRED
from mmbnft.utils.errors import UserError, choices

_DELIMITERS = ",;\t"
_KNOWN = (*REQUIRED, "split", "seed", "scale", ERROR, *COSTS)
# What the columns of a long table are called elsewhere.
_OTHER_NAMES = {"model": "checkpoint", "dataset": "task", "data set": "task", "method": "protocol", "score": "value"}
# The columns of a leaderboard's export; what it calls a metric is what a checkpoint was ranked by, so a protocol.
LEADERBOARD = {"model": "checkpoint", "dataset": "task", "metric": "protocol", "score": "value"}
# Cells of the value column that say that there is no value. In a column of names they are names.
_EMPTY = frozenset(("", "-", "\u2013", "\u2014", "nan", "na", "n/a", "none", "null"))
_AVERAGES = frozenset(("average", "avg", "mean", "overall"))
_NUMBER = re.compile(r"[-+]?(\d+[.,]?\d*|[.,]\d+)(e[-+]?\d+)?", re.IGNORECASE)
_SPREAD = re.compile(r"\s*(?:\u00b1|\+/-|\+-)\s*")
# Lines named in a sentence before it says how many more there are.
_NAMED = 5


def read_csv_table(path: Path, wide: str | None = None) -> tuple[pd.DataFrame, tuple[Finding, ...]]:
    """Read a long table, or a wide one with a column for each task beside `checkpoint`.

    A leaderboard's `model,dataset,metric,score` is a long table too, with the metric as the protocol.

    The delimiter (comma, semicolon, tab), a byte-order mark, a decimal comma and the case and spaces of the header are
    found out. Names are text whatever they say; `74.1%` is a value on the percent scale, and `74.1 ± 0.3` a value with
    its spread. Averages over tasks or checkpoints among the rows are left out.

    Args:
        path: The file.
        wide: Protocol of the values of a wide table; a file with the columns of a long one is read as one all the same.

    Returns:
        A long table with the columns `checkpoint,task,protocol,value,spread,scale` and the optional ones that the file
        has, and what a reader must be told.

    Raises:
        UserError: The file is no such table; the sentence names the line.
    """
    lines, findings = _lines(path)
    header, rows = _cells(path, lines)
    if wide is not None and not set(REQUIRED) <= set(header):
        header, rows = _melted(path, header, rows, wide)
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        hint = "".join(f"; rename {old} to {new}" for old, new in _OTHER_NAMES.items() if old in header)
        raise UserError(
            f"{path} lacks the column {choices(missing)}; it has {', '.join(header)}{hint}; a table with one column "
            "per task is read with --wide PROTOCOL"
        )
    table, unread = _table(path, header, rows)
    table, averages = _without_averages(table)
    return table.drop(columns="line"), (*findings, *unread, *averages)


def _lines(path: Path) -> tuple[list[str], list[Finding]]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); name a CSV file or a results folder") from error
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16").splitlines(), []
    try:
        return content.decode("utf-8-sig").splitlines(), []
    except UnicodeDecodeError:
        sentence = f"{path} is not in UTF-8 and was read as Windows-1252; names with accents may be wrong"
        return content.decode("cp1252", errors="replace").splitlines(), [Finding("MB205", sentence)]


def _cells(path: Path, lines: Sequence[str]) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header in lower case and the rows with their line numbers; every row has as many cells as the header."""
    numbered = [(i, line) for i, line in enumerate(lines, 1) if line.strip(" ,;\t")]
    while numbered and numbered[0][1].lstrip().startswith("#"):
        numbered.pop(0)
    if not numbered:
        raise UserError(f"{path} cannot be read as CSV: it is empty; a long table has {', '.join(REQUIRED)}")
    delimiter = max(_DELIMITERS, key=numbered[0][1].count)
    split = [(i, next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))) for i, line in numbered]
    header = [_column(name) for name in split[0][1]]
    if set(LEADERBOARD) <= {name.lower() for name in header}:
        header = [LEADERBOARD.get(name.lower(), name) for name in header]
    if len(header) < 2 or len(set(header)) < len(header):
        raise UserError(
            f"{path} cannot be read as CSV: its first line is {numbered[0][1].strip()[:60]!r}; a long table has the "
            f"columns {', '.join(REQUIRED)}, each once, separated by commas, semicolons or tabs"
        )
    rows = []
    for i, cells in split[1:]:
        if len(cells) > len(header):
            raise UserError(
                f"{path}, line {i} has {len(cells)} cells but the header {len(header)}; put a name or number that "
                "holds the delimiter in quotes"
            )
        rows.append((i, [cell.strip() for cell in cells] + [""] * (len(header) - len(cells))))
    return header, rows


def _column(name: str) -> str:
    plain = name.strip()
    return plain.lower() if plain.lower() in (*_KNOWN, *_OTHER_NAMES) else plain


def _melted(
    path: Path, header: list[str], rows: list[tuple[int, list[str]]], protocol: str
) -> tuple[list[str], list[tuple[int, list[str]]]]:
    if "checkpoint" not in header or len(header) < 2:
        raise UserError(f"{path} is not a wide table: it needs a column checkpoint and one column per task")
    name = header.index("checkpoint")
    long = [
        (i, [cells[name], task, protocol, cells[k]]) for i, cells in rows for k, task in enumerate(header) if k != name
    ]
    return list(REQUIRED), long


def _table(path: Path, header: list[str], rows: list[tuple[int, list[str]]]) -> tuple[pd.DataFrame, list[Finding]]:
    table = pd.DataFrame([cells for _, cells in rows], columns=header, dtype=object)
    table["line"] = [i for i, _ in rows]
    empty = [name for name in COORDINATES if (table[name] == "").any()]
    if empty:
        line = table["line"][table[empty[0]] == ""].iloc[0]
        raise UserError(f"{path}, line {line} has an empty cell in the column {empty[0]}; every row needs one")
    numbers = [_value(path, line, text) for line, text in zip(table["line"], table["value"], strict=True)]
    stated = table["scale"] if "scale" in table else [""] * len(table)
    table["scale"] = [scale or told for scale, (_, _, told) in zip(stated, numbers, strict=True)]
    table["value"] = pd.Series([value for value, _, _ in numbers], dtype=float)
    table["spread"] = pd.Series([spread for _, spread, _ in numbers], dtype=float)
    for name in (name for name in COSTS if name in header):
        pairs = zip(table["line"], table[name], strict=True)
        table[name] = pd.Series([_value(path, line, text)[0] for line, text in pairs], dtype=float)
    keep = [name for name in ("line", *_KNOWN, "spread") if name in table.columns]
    return table[keep], [*_missing(path, table), *_spreads(path, table)]


def _value(path: Path, line: int, text: str) -> tuple[float, float, str]:
    """Value, spread and scale that a cell tells; NaN and "" where it does not."""
    if text.lower() in _EMPTY:
        return math.nan, math.nan, ""
    scale = "percent" if "%" in text else ""
    parts = [part.strip() for part in _SPREAD.split(text.replace("%", " ").strip().strip("()"))]
    if len(parts) > 2 or not all(_NUMBER.fullmatch(part) for part in parts):
        raise UserError(f"{path}, line {line}: {text!r} is not a finite number; write e.g. 81.2 or 81.2 \u00b1 0.3")
    numbers = [float(part.replace(",", ".")) for part in parts]
    return numbers[0], numbers[1] if len(numbers) == 2 else math.nan, scale


def _missing(path: Path, table: pd.DataFrame) -> list[Finding]:
    lines = [str(line) for line in table.loc[table["value"].isna(), "line"]]
    if not lines:
        return []
    more = f" and {len(lines) - _NAMED} more" if len(lines) > _NAMED else ""
    word = "lines" if len(lines) > 1 else "line"
    return [Finding("MB202", f"{path}, {word} {', '.join(lines[:_NAMED])}{more}: no value, counted as missing")]


def _spreads(path: Path, table: pd.DataFrame) -> list[Finding]:
    known = int(table["spread"].notna().sum())
    sentence = f"{path} gives {known} values with a spread (\u00b1) of unknown kind; shown, not used for intervals"
    return [Finding("MB209", sentence)] if known else []


def _without_averages(table: pd.DataFrame) -> tuple[pd.DataFrame, list[Finding]]:
    findings = []
    for column in ("task", "checkpoint"):
        named = [name for name in dict.fromkeys(table[column]) if _is_average(name)]
        if named and len(named) < table[column].nunique():
            sentence = f"the {column} {', '.join(named)} looks like an average over {column}s and is left out"
            findings.append(Finding("MB204", sentence))
            table = table[~table[column].isin(named)]
    return table.reset_index(drop=True), findings


def _is_average(name: str) -> bool:
    return re.sub(r"[^a-z]", "", name.lower()).removesuffix("acc").removesuffix("accuracy") in _AVERAGES
