"""Files that are either whole or absent: atomic writes and content hashes."""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from mmbnft.utils.errors import MachineError, UserError

_DEAD, _SURELY_DEAD = 600, 86_400  # seconds without a write
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def is_full(error: BaseException) -> bool:
    """Whether an error says that a disk (or a quota) is full."""
    return isinstance(error, OSError) and error.errno in _FULL


@contextmanager
def atomic_file(path: Path | str) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path` that takes its place only when the block ends without an error.

    The content is flushed to the disk before the rename, so a reader sees the old file or the whole new one, also
    after a kill or a power loss.

    Raises:
        MachineError: The folder cannot be created or written.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    except OSError as error:
        raise MachineError(f"cannot write {target}: {error.strerror}; choose a folder you may write to") from error
    try:
        with os.fdopen(handle, "wb") as stream:
            _mark_alive(handle)
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp makes private files; results are meant to be shared like any other file of the user.
        mask = os.umask(0)
        os.umask(mask)
        Path(name).chmod(0o666 & ~mask)
        Path(name).replace(target)
        _sync_folder(target.parent)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _mark_alive(handle: int) -> None:
    """Lock an unfinished file for as long as its writer lives; see `remove_abandoned`."""
    with contextlib.suppress(OSError):  # file systems without locks
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def remove_abandoned(folder: Path | str) -> int:
    """Remove the unfinished files in `folder` whose writer was killed.

    A writer locks its file, and the kernel drops the lock when the writer ends. A file that was written to within the
    last ten minutes stays in any case, and on a file system without locks one of the last day.

    Returns:
        How many were removed.
    """
    removed = 0
    for path in Path(folder).glob(".*.part"):
        try:
            age = time.time() - path.stat().st_mtime
            if age > (_SURELY_DEAD if _is_locked(path) is None else _DEAD) and not _is_locked(path):
                path.unlink()
                removed += 1
        except OSError:  # finished or removed meanwhile, or another user's
            continue
    return removed


def _is_locked(path: Path) -> bool | None:
    """Whether a living process has locked a file; None where the file system cannot tell."""
    with path.open("rb") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return True if error.errno in (errno.EACCES, errno.EAGAIN) else None
    return False


def _sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power loss, where the platform can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # platforms where a folder cannot be opened
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path | str, text: str) -> None:
    """Write UTF-8 `text` to `path` atomically."""
    with atomic_file(path) as stream:
        stream.write(text.encode("utf-8"))


def json_text(content: Any) -> str:
    """`content` as indented, strictly valid JSON (no NaN)."""
    return json.dumps(content, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"


def write_json(path: Path | str, content: Any) -> None:
    """Write `json_text` of `content` to `path` atomically."""
    write_text(path, json_text(content))


def write_with(path: Path | str, save: Callable[[BinaryIO], object]) -> None:
    """Let `save(stream)` write `path` atomically, e.g. `lambda f: torch.save(state, f)`."""
    with atomic_file(path) as stream:
        save(stream)


def read_json(path: Path | str) -> Any:
    """Read a JSON file.

    Raises:
        UserError: The file is missing or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON ({error}); restore the file or delete it") from error


def sha256_file(path: Path | str) -> str:
    """Hex SHA-256 of a file's bytes.

    Raises:
        UserError: The file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with Path(path).open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    return digest.hexdigest()


def sha256_json(content: Any) -> str:
    """Hex SHA-256 of `content` in canonical JSON; equal content gives an equal hash on every machine."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def check_writable(folder: Path | str) -> None:
    """Create `folder` if needed and make sure that files can be written in it, before hours are spent.

    What writers that were killed left unfinished in it is removed.

    Raises:
        MachineError: They cannot.
    """
    probe = Path(folder) / f".writable-{os.getpid()}"
    write_text(probe, "")
    probe.unlink(missing_ok=True)
    remove_abandoned(folder)
