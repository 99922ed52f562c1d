"""Unpacking what a person obtained: nothing leaves the target folder, and nothing is written twice."""

import lzma
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple

from mmbnft.tasks.progress_bars import progress
from mmbnft.utils.errors import UserError

# What the readers raise for a truncated or damaged archive, besides OSError; RuntimeError is zipfile's for a password.
DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, NotImplementedError)


class _Member(NamedTuple):
    name: str
    read: Callable[[], bytes]


def unpack(source: Path, target: Path) -> int:
    """Put the files of `source` below `target`; a file that is there already with the same content is left alone.

    Links inside an archive become copies; what a Mac adds (`__MACOSX/`) is left out.

    Args:
        source: A zip or tar archive of any compression, a folder that was unpacked before, or a single file.
        target: Folder to unpack to; made if missing.

    Returns:
        Number of files.

    Raises:
        UserError: The archive is missing, truncated or damaged, or a member would land outside `target`.
    """
    if not source.exists():
        raise UserError(f"there is no archive {source}; correct the path")
    if source.is_dir():
        return _take_folder(source, target)
    count = 0
    try:
        for member in progress(_members(source), f"unpacking {source.name}"):
            place = _place(member.name, source, target)
            if place is not None:
                write_file(place, member.read())
                count += 1
    except DAMAGE as error:
        raise UserError(f"{source} is truncated or damaged ({error}); download it again") from error
    except OSError as error:
        raise UserError(f"{source} cannot be unpacked to {target}: {error}") from error
    return count


def _members(source: Path) -> Iterator[_Member]:
    if zipfile.is_zipfile(source):
        yield from _zip_members(source)
    elif tarfile.is_tarfile(source):
        yield from _tar_members(source)
    elif source.name.endswith((".zip", ".tar", ".tgz", ".tar.gz")):
        raise UserError(f"{source} is not a readable archive; it may be truncated, so download it again")
    else:
        yield _Member(source.name, source.read_bytes)


def _zip_members(source: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(source) as archive:
        for info in archive.infolist():
            if stat.S_ISLNK(info.external_attr >> 16):
                raise UserError(f"{source} holds the link {info.filename!r}; repack it with the file itself")
            if not info.is_dir():
                yield _Member(info.filename, lambda info=info: archive.read(info))  # type: ignore[misc]


def _tar_members(source: Path) -> Iterator[_Member]:
    with tarfile.open(source) as archive:
        for info in archive:
            if not info.isdir():
                yield _Member(info.name, lambda info=info: _tar_content(archive, info, source))  # type: ignore[misc]


def _tar_content(archive: tarfile.TarFile, info: tarfile.TarInfo, source: Path) -> bytes:
    try:
        stream = archive.extractfile(info)  # follows links, but only to members of the same archive
    except KeyError as error:
        raise UserError(
            f"{source}: the link {info.name!r} leads to {info.linkname!r}, outside the archive; do not use this file"
        ) from error
    if stream is None:
        raise UserError(f"{source}: {info.name!r} is neither file, folder nor link; do not use this file")
    with stream:
        return stream.read()


def _place(name: str, source: Path, target: Path) -> Path | None:
    """Where a member belongs, None for what a Mac adds."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or PureWindowsPath(name).drive or not path.parts:
        raise UserError(f"{source}: the member {name!r} would land outside {target}; do not use this file")
    if "__MACOSX" in path.parts:
        return None
    place = target.joinpath(*path.parts)
    if not place.parent.resolve().is_relative_to(target.resolve()):
        raise UserError(f"{place.parent} is a link that leads outside {target}; remove it")
    return place


def write_file(place: Path, content: bytes) -> None:
    """Write a file that is whole or absent; an equal one is left alone."""
    if place.is_file() and place.stat().st_size == len(content) and place.read_bytes() == content:
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=place.parent, prefix=".unpacking-")
    # No flush to the disk per file: every image is decoded afterwards, and a damaged one is written again.
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
    Path(name).chmod(0o644)
    Path(name).replace(place)


def _take_folder(source: Path, target: Path) -> int:
    """Hard links where the disk allows them, else copies."""
    root = source.resolve()
    if root == target.resolve() or root in target.resolve().parents:
        raise UserError(f"{source} holds the prepared folder {target} itself; give the folder of the official files")
    count = 0
    for path in progress(sorted(root.rglob("*")), f"taking {source.name}"):
        inside = path.resolve()
        if not inside.is_relative_to(root) or (path.is_symlink() and path.is_dir()):
            raise UserError(f"{path} is a link that leads to {inside}; replace it by what it stands for")
        if inside.is_file():
            place = _place(path.relative_to(root).as_posix(), source, target)
            if place is not None:
                count += 1
                link_or_copy(inside, place)
    return count


def link_or_copy(path: Path, place: Path) -> None:
    """Make `place` a hard link to a file, or a copy where the disk has no such links; an equal file is left alone."""
    if place.is_file() and (place.samefile(path) or place.read_bytes() == path.read_bytes()):
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    try:
        os.link(path, place)
    except OSError:
        shutil.copy2(path, place)
