"""Class folders, and train/ val/ test/ folders with class folders in them."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from mmbnft.tasks.preparers.own.found import SPLIT_NAMES, Found, Sample, Skipped, order_classes
from mmbnft.utils.errors import UserError

FORMATS = "jpg jpeg jpe jfif png bmp dib gif tif tiff webp ppm pgm pbm pnm jp2 avif tga"
SUFFIXES = frozenset(map(".{}".format, FORMATS.split(" ")))
JUNK = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini", "@eaDir", "$RECYCLE.BIN"})  # what systems leave behind


def read_folders(images: Path) -> Found:
    """Read classes, and splits if there are any, from the names of folders.

    Links are followed. Hidden files and folders, files without an image suffix, files outside class folders and empty
    class folders are left out, with a remark.

    Raises:
        UserError: There is no class folder, a link leads back to a folder above it, split folders hold no class
            folders, or they lie beside others.
    """
    skipped = Skipped()
    folders = _sub_folders(images, images, skipped)
    splits = _splits(images, folders)
    if not splits:
        samples, classes = _read_classes(images, folders, images, "", skipped)
        samples, told = _inner_splits(samples)
        remarks = [f"classes are the {len(classes)} folders of {images}", *told]
    else:
        samples, classes = [], set()
        for split, folder in splits.items():
            inner = _sub_folders(folder, images, skipped)
            more, names = _read_classes(folder, inner, images, split, skipped)
            samples += more
            classes |= names
        found = ", ".join(f"{folder.name}/ is {split}" for split, folder in splits.items())
        remarks = [f"the folders of {images} are splits: {found}; classes are the folders in them"]
    if not samples:
        raise UserError(f"{images} has no image in a class folder; give a folder that holds one folder per class")
    ordered = order_classes(classes, str(images))
    return Found(tuple(samples), tuple(sorted(ordered)), remarks=(*remarks, *skipped.remarks()))


def is_hidden(name: str) -> bool:
    """Whether a file or folder is none of the person's data, e.g. `._x.png` or `.ipynb_checkpoints`."""
    return name.startswith(".") or name in JUNK


def _splits(images: Path, folders: list[Path]) -> dict[str, Path]:
    """Folder of each split; empty where folders are classes."""
    named = [folder for folder in folders if folder.name.casefold() in SPLIT_NAMES]
    nested = [
        folder for folder in named if any(child.is_dir() and not is_hidden(child.name) for child in _list(folder))
    ]
    if not nested and len(named) < 2:
        return {}  # no such folder, or a class that happens to be called train
    flat = [folder for folder in named if folder not in nested]
    if flat:
        raise UserError(
            f"{flat[0]} is named like a split but has no class folders, so its images have no labels; give it one "
            "folder per class, or give lists or a table of names and labels"
        )
    others = [folder for folder in folders if folder not in named]
    if others:
        raise UserError(
            f"{images} holds split folders ({', '.join(folder.name for folder in named)}) beside {others[0].name}/; "
            "move everything else elsewhere, or the splits into a folder of their own"
        )
    splits: dict[str, Path] = {}
    for folder in named:
        split = SPLIT_NAMES[folder.name.casefold()]
        if split in splits:
            raise UserError(f"{splits[split]} and {folder} would both be {split}; leave one of them out")
        splits[split] = folder
    if "train" not in splits or len(splits) < 2:
        raise UserError(
            f"{images} has the split folders {', '.join(splits)}; train and at least one of val and test are needed"
        )
    return {split: splits[split] for split in ("train", "val", "test") if split in splits}


def _inner_splits(samples: list[Sample]) -> tuple[list[Sample], list[str]]:
    """Splits where each class folder holds `train/`, `val/` and `test/`."""
    inner = [sample.name.split("/")[1].casefold() if sample.name.count("/") > 1 else "" for sample in samples]
    named = [name in SPLIT_NAMES for name in inner]
    if not any(named):
        return samples, []
    if not all(named):
        split, other = samples[named.index(True)].name, samples[named.index(False)].name
        raise UserError(
            f"{split} is in a split folder of its class and {other} is not; give every image a split or none"
        )
    splits = [sample._replace(split=SPLIT_NAMES[name]) for sample, name in zip(samples, inner, strict=True)]
    return splits, ["the folders in each class are splits"]


def _read_classes(
    folder: Path, classes: list[Path], images: Path, split: str, skipped: Skipped
) -> tuple[list[Sample], set[str]]:
    samples: list[Sample] = []
    names: set[str] = set()
    for path in classes:
        found = [file for file in _walk(path, images, skipped) if _is_image(file, images, skipped)]
        if not found:
            skipped.add("a class folder without an image", _name(path, images))
            continue
        names.add(path.name)
        samples += [Sample(_name(file, images), file, (path.name,), split) for file in found]
    return samples, names


def _sub_folders(folder: Path, images: Path, skipped: Skipped) -> list[Path]:
    """Folders in `folder`; everything else in it is skipped."""
    folders = []
    for path in _list(folder):
        if is_hidden(path.name):
            _skip_hidden(path, images, skipped)
        elif _is_folder(path):
            folders.append(path)
        else:
            skipped.add("not in a class folder", _name(path, images))
    return folders


def _walk(folder: Path, images: Path, skipped: Skipped, above: tuple[Path, ...] = ()) -> Iterator[Path]:
    """Files below `folder`, links followed."""
    real = folder.resolve()
    if real in above or real in (images.resolve(), *images.resolve().parents):
        raise UserError(f"the link {folder} leads back to {real}, a folder above it; remove the link")
    for path in _list(folder):
        if is_hidden(path.name):
            _skip_hidden(path, images, skipped)
        elif _is_folder(path):
            yield from _walk(path, images, skipped, (*above, real))
        else:
            yield path


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except FileNotFoundError:  # a link to nothing, which reading it will tell
        return False
    except OSError as error:  # a link to itself
        raise UserError(f"the link {path} leads nowhere ({error}); remove it") from error


def _is_image(path: Path, images: Path, skipped: Skipped) -> bool:
    if path.suffix.lower() in SUFFIXES:
        return True
    skipped.add("no suffix of an image", _name(path, images))
    return False


def _skip_hidden(path: Path, images: Path, skipped: Skipped) -> None:
    files = [path] if not path.is_dir() else [inner for inner in path.rglob("*") if not inner.is_dir()]
    for file in files:
        skipped.add("hidden or a system's own", _name(file, images))


def _list(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise UserError(
            f"{folder} cannot be read ({error.strerror}); change its permissions or leave the folder out"
        ) from error


def _name(path: Path, images: Path) -> str:
    return Path(os.path.relpath(path, images)).as_posix()
