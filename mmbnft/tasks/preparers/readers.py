"""What several official layouts have in common: text lists, class folders, MATLAB files, torchvision's readers."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmbnft.tasks.preparers.base import Entry
from mmbnft.utils.errors import UserError, choices


def text_of(path: Path) -> str:
    """The content of a text file.

    Raises:
        UserError: The file is missing or not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); correct the path or give all files") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8") from error


def lines_of(path: Path) -> list[str]:
    """The lines of a text file that are not blank, without outer white space.

    Raises:
        UserError: The file is missing, empty or not UTF-8.
    """
    lines = [line.strip() for line in text_of(path).splitlines() if line.strip()]
    if not lines:
        raise UserError(f"{path} is empty; expected the official list")
    return lines


def find_one(folder: Path, name: str) -> Path:
    """The file or folder called `name` below `folder`, the one nearest to it.

    Raises:
        UserError: There is none.
    """
    found = find_any(folder, name)
    if found is None:
        raise UserError(f"there is no {name} below {folder}; give the archive that holds it")
    return found


def find_any(folder: Path, name: str) -> Path | None:
    """Like `find_one`, but None where nothing is called `name`."""
    return min(folder.rglob(name), key=lambda path: (len(path.parts), path), default=None)


def relative(path: Path | str, images: Path) -> str:
    """`path` relative to the image folder, with forward slashes."""
    return Path(path).relative_to(images).as_posix()


def number(table: Sequence[str], name: str, where: str) -> int:
    """Position of `name` in `table`.

    Args:
        table: The names in their order.
        name: The name looked for.
        where: File and line, for the message.

    Raises:
        UserError: The name is not in the table.
    """
    try:
        return table.index(name)
    except ValueError:
        known = choices(table[:5]) + (" ..." if len(table) > 5 else "")
        raise UserError(f"{where}: unknown class {name!r}; the data set has {len(table)}: {known}") from None


def class_folders(
    folder: Path, images: Path, extensions: tuple[str, ...], leave_out: Sequence[str] = ()
) -> tuple[tuple[str, ...], list[Entry]]:
    """Classes are the sub-folders in ASCII order; images are their files, sorted by name, class after class.

    Args:
        folder: Holds one folder per class.
        images: What names are relative to.
        extensions: Suffixes that count as images, in lower case; other files are left out.
        leave_out: Folders that are no class.

    Raises:
        UserError: There is no class folder, or one without an image.
    """
    from mmbnft.host import make_dataset  # starts the whole stack, which the facts of a data set can do without

    classes = class_names(folder, leave_out)
    try:
        samples = make_dataset(str(folder), {name: i for i, name in enumerate(classes)}, extensions)
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}: {error}; give each class folder its images or remove it") from error
    return classes, [Entry(relative(path, images), label) for path, label in samples]


def class_names(folder: Path, leave_out: Sequence[str] = ()) -> tuple[str, ...]:
    """Names of the sub-folders in ASCII order, hidden ones and `leave_out` excepted."""
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}; expected one folder per class in it")
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    names = [name for name in names if name not in leave_out]
    if not names:
        raise UserError(f"{folder} has no sub-folder; expected one folder per class")
    return tuple(names)


def mat_field(path: Path, field: str) -> np.ndarray:
    """Variable `field` of a MATLAB file as a one-dimensional array.

    Raises:
        UserError: The file is missing or damaged, or has no such variable.
    """
    from scipy.io import loadmat  # takes a second, which the facts of a data set can do without

    try:
        content = loadmat(path, squeeze_me=True)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error}); give the official file") from error
    except Exception as error:  # SciPy's reader raises whatever a damaged file makes it stumble over
        raise UserError(f"{path} is not a readable MATLAB file ({error}); download it again") from error
    if field not in content:
        raise UserError(f"{path} has no variable {field!r}; expected the official file")
    return np.atleast_1d(content[field])


def torchvision_entries(build: Callable[[], Any], images: Path, folder: Path) -> tuple[tuple[str, ...], list[Entry]]:
    """Classes and entries of a torchvision data set that reads the official layout.

    Args:
        build: Constructs the data set.
        images: What names are relative to.
        folder: Where the layout is expected; messages name it.

    Raises:
        UserError: torchvision cannot read the folder.
    """
    try:
        dataset = build()
    except KeyError as error:
        raise UserError(f"a list in {folder} names the unknown class {error}; expected the official lists") from error
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(f"{folder} is not in the official layout: {error}; give the whole archive") from error
    # torchvision has no public way to the file names; these attributes have been there since each class exists.
    paths = dataset._images if hasattr(dataset, "_images") else dataset._image_files
    entries = [Entry(relative(path, images), int(label)) for path, label in zip(paths, dataset._labels, strict=True)]
    return tuple(dataset.classes), entries
