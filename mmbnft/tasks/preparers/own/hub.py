"""Local data sets in the layout of the Hugging Face Hub: metadata files beside images, and parquet files.

See the Hub's documentation of `imagefolder` and of image data sets. Nothing is downloaded.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from mmbnft.tasks.preparers.own.folders import is_hidden
from mmbnft.tasks.preparers.own.found import SPLIT_NAMES, Found, Sample, order_classes, split_of
from mmbnft.tasks.preparers.own.lists import negative_classes
from mmbnft.tasks.preparers.own.tables import Table, find_roles, found_in_table, labels_of_table, read_rows_of
from mmbnft.tasks.preparers.readers import text_of
from mmbnft.utils.errors import UserError

METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
NO_LABEL = -1  # how the Hub writes the labels of a test split that are kept back


def metadata_files(images: Path) -> list[Path]:
    """Metadata files below an image folder, hidden folders left out."""
    found = sorted(path for name in METADATA for path in images.rglob(name))
    return [path for path in found if not any(map(is_hidden, path.relative_to(images).parts))]


def read_metadata(files: Sequence[Path], images: Path, separator: str | None, label: str | None) -> Found:
    """Read `metadata.csv`, `.jsonl` or `.parquet` files; their `file_name` is relative to their own folder.

    Splits are a column, or the folders (`train/`, `validation/`, `test/`) that all images lie in.

    Args:
        files: The metadata files.
        images: Folder that holds them and the images.
        separator: What separates several labels in a cell; None to find out.
        label: Title of the label's column; None to find out.

    Raises:
        UserError: A file is damaged, the files have different columns, or as for `read_table`.
    """
    rows: list[tuple[Path, int, dict[str, Any]]] = []
    for path in files:
        for line, row in _rows_of(path):
            rows.append((path, line, row))
    titles = list(dict.fromkeys(title for _, _, row in rows for title in row))
    columns = find_roles(titles, label)
    if "path" not in columns:
        raise UserError(f"{files[0]}: no column ({', '.join(titles)}) names the image; call it file_name")
    name = titles[columns["path"]]
    cells = []
    for path, line, row in rows:
        if not row.get(name):
            raise UserError(f"{path}:{line}: there is no {name}; every row names its image")
        below = path.parent.relative_to(images) / str(row[name])
        cells.append((line, [_cell(row | {name: below.as_posix()}, title) for title in titles]))
    table = Table(files[0] if len(files) == 1 else images, titles, columns, cells)
    found = found_in_table(table, images, separator)
    splits = [_split_of_parts(PurePosixPath(sample.name).parts[:-1]) for sample in found.samples]
    if "split" in columns or not ("train" in splits and len(set(splits)) > 1 and all(splits)):
        return found
    samples = tuple(sample._replace(split=split) for sample, split in zip(found.samples, splits, strict=True))
    return Found(samples, found.classes, found.multi_label, (*found.remarks, "splits are the folders of the images"))


def _cell(row: dict[str, Any], title: str) -> Any:
    value = row.get(title)
    if isinstance(value, list):
        return [str(item) for item in value]
    return "" if value is None else str(value).strip()


def _rows_of(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line (or row) number and values of a metadata file."""
    if path.suffix == ".csv":
        titles, rows = read_rows_of(path)
        yield from ((line, dict(zip(titles, cells, strict=True))) for line, cells in rows)
    elif path.suffix == ".parquet":
        yield from enumerate(_read_parquet(path).to_pylist(), 1)
    else:
        for line, text in enumerate(text_of(path).split("\n"), 1):
            if text.strip():
                yield line, _json_object(text, f"{path}:{line}")


def _json_object(text: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(text)
    except ValueError as error:
        raise UserError(f"{where} is not JSON ({error}); expected one object per line") from error
    if not isinstance(row, dict):
        raise UserError(f"{where} holds {text[:40]!r}; expected one object per line, such as {{'file_name': 'a.png'}}")
    return row


class _Row(NamedTuple):
    number: int
    cells: list[Any]
    split: str
    picture: bytes | Path


def read_parquet(path: Path, separator: str | None, label: str | None) -> Found:
    """Read a parquet file, or all below a folder, that hold images as bytes (or name them) and labels.

    Splits are taken from names of files and folders, as the Hub gives them (`data/train-00000-of-00002.parquet`,
    `default/validation/0000.parquet`). Class names are those of the Hub's features, where the file has them.

    Args:
        path: File or folder.
        separator: What separates several labels in a cell; None to find out.
        label: Title of the label's column; None to find out.

    Raises:
        UserError: pyarrow is missing, a file is damaged, or a column of images or labels is missing or ambiguous.
    """
    files = [path] if path.is_file() else sorted(path.rglob("*.parquet"))
    files = [file for file in files if file == path or not any(map(is_hidden, file.relative_to(path).parts))]
    if not files:
        raise UserError(f"{path} holds no .parquet file; give the file or the folder that holds them")
    contents = [_read_parquet(file) for file in files]
    titles = list(contents[0].column_names)
    rows: list[_Row] = []
    for file, content in zip(files, contents, strict=True):
        if content.column_names != titles:
            own, first = ", ".join(content.column_names), ", ".join(titles)
            raise UserError(
                f"{file} has the columns {own}, and {files[0]} has {first}; give files with the same columns"
            )
        features = _features(content)
        image, role = _image_column(content, features, file), _label_column(titles, features, label)
        split = _split_of_parts(file.relative_to(path.parent if path.is_file() else path).parts)
        rows += _rows_of_images(content, features, image, split, file)
    columns = find_roles([title if title != image else "" for title in titles], role)
    columns.pop("path", None)
    told = f", {titles[columns['label']]} is the label" if "label" in columns else ""
    remarks = [f"{path}: {image} holds the images{told}"]
    kept = [(k, row) for k, row in enumerate(rows) if "label" not in columns or row.cells[columns["label"]] != ""]
    if len(kept) < len(rows):
        remarks.append(f"left out, without a label: {len(rows) - len(kept):,} rows")
    cells = [(row.number, row.cells) for _, row in kept]
    table = Table(path, titles, columns | {"path": titles.index(image)}, cells)
    labels, multi_label, remarks_on_labels = labels_of_table(table, separator)
    samples = tuple(_sample(k, row, own, columns, path) for (k, row), own in zip(kept, labels, strict=True))
    classes = order_classes((name for sample in samples for name in sample.labels), str(path))
    return Found(samples, classes, multi_label, (*remarks, *remarks_on_labels, *negative_classes(classes)))


def _rows_of_images(content: Any, features: dict[str, Any], image: str, split: str, file: Path) -> Iterator[_Row]:
    """The rows of one file, with class names in the place of numbers where the file has them."""
    names = {title: found for title, feature in features.items() if (found := _class_names(feature))}
    for number, row in enumerate(content.to_pylist(), 1):
        where = f"{file}, row {number}"
        picture = _content(row.pop(image), file, where)
        cells = {title: _cell({title: _named(value, names.get(title), where)}, title) for title, value in row.items()}
        yield _Row(number, [cells.get(title, "") for title in content.column_names], split, picture)


def _sample(number: int, row: _Row, labels: tuple[str, ...], columns: dict[str, int], path: Path) -> Sample:
    """A row as a sample; a column of splits decides over the file's name."""
    split = split_of(row.cells[columns["split"]], f"{path}, row {row.number}") if "split" in columns else row.split
    group = row.cells[columns["group"]] if "group" in columns else ""
    suffix = row.picture.suffix if isinstance(row.picture, Path) else _suffix(row.picture)
    return Sample(f"{split or 'all'}/{number:07d}{suffix}", row.picture, labels, split, group)


def _read_parquet(path: Path) -> Any:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise UserError(f"{path} needs pyarrow to be read; run: pip install pyarrow") from error
    try:
        return parquet.ParquetFile(path).read()
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise UserError(f"{path} is not a readable parquet file ({error}); fetch or write it again") from error


def _features(content: Any) -> dict[str, Any]:
    """The Hub's description of the columns; empty where the file has none."""
    try:
        described = json.loads((content.schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return {}
    return described if isinstance(described, dict) else {}


def _class_names(feature: Any) -> list[str]:
    """Names of the classes that a feature, or each item of a list of them, is one of."""
    if isinstance(feature, list):
        feature = feature[0] if feature else {}
    while isinstance(feature, dict) and isinstance(feature.get("feature"), dict):
        feature = feature["feature"]
    return list(feature.get("names") or ()) if isinstance(feature, dict) else []


def _named(value: Any, names: list[str] | None, where: str) -> Any:
    """Class names in the place of class numbers; None for the Hub's mark of a label that is kept back."""
    if isinstance(value, list):
        return [_named(item, names, where) for item in value]
    if not names or not isinstance(value, int):
        return value
    if value == NO_LABEL:
        return None
    if not 0 <= value < len(names):
        raise UserError(f"{where}: the class number {value} is not one of the {len(names)} that the file names")
    return names[value]


def _image_column(content: Any, features: dict[str, Any], where: Path) -> str:
    import pyarrow.types as types

    described = [
        name for name, feature in features.items() if isinstance(feature, dict) and feature.get("_type") == "Image"
    ]
    held = [
        field.name
        for field in content.schema
        if types.is_binary(field.type) or types.is_large_binary(field.type)
        or (types.is_struct(field.type) and field.type.get_field_index("bytes") >= 0)
    ]  # fmt: skip
    found = [name for name in described if name in content.column_names] or held
    if len(found) != 1:
        what = f"several columns of images ({', '.join(found)})" if found else "no column of images"
        raise UserError(
            f"{where} has {what} among {', '.join(content.column_names)}; keep one, as bytes of a file each"
        )
    return found[0]


def _label_column(titles: Sequence[str], features: dict[str, Any], label: str | None) -> str | None:
    """The column asked for; else the only one whose classes have names."""
    described = [title for title in titles if _class_names(features.get(title))]
    if label is not None or len(described) == 1 or "label" in find_roles(titles, None):
        return label or (described[0] if len(described) == 1 else None)
    if described:
        raise UserError(f"the columns {', '.join(described)} are labels; say which with --label-column")
    return None


def _content(value: Any, file: Path, where: str) -> bytes | Path:
    if isinstance(value, dict):
        value, named = value.get("bytes"), value.get("path")
        if value is None and named:
            return file.parent / str(named)
    if not isinstance(value, bytes):
        raise UserError(f"{where} holds no image; leave the row out")
    return value


_MAGIC = {b"\xff\xd8": ".jpg", b"\x89PNG": ".png", b"GIF8": ".gif", b"RIFF": ".webp", b"BM": ".bmp"}


def _suffix(content: bytes) -> str:
    return next((suffix for magic, suffix in _MAGIC.items() if content.startswith(magic)), ".tif")


def _split_of_parts(parts: Sequence[str]) -> str:
    """The split that a file's name or the nearest folder above it says; empty for none."""
    for part in reversed(parts):
        for word in re.split(r"[-_.]", part.casefold()):
            if word in SPLIT_NAMES:
                return SPLIT_NAMES[word]
    return ""
