"""A folder of large arrays that are made once and shared by every process of a machine."""

import fcntl
import functools
import json
import logging
import os
import struct
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from mmbnft.utils.errors import MachineError, UserError
from mmbnft.utils.files import atomic_file

logger = logging.getLogger("mmbnft.cache")
SUFFIX = ".array"
# An entry is its values, a description in JSON, and this: length of the description, CRC-32 of all before it, a mark.
# The values come first, so that they can be written before their number is known, and stay aligned.
TAIL = struct.Struct("<QI8s")
MARK = b"mmbnft-1"
ABANDONED = 24 * 3600  # seconds after which an unfinished file is the rest of a writer that was killed
READ = 1 << 22  # bytes


class CacheError(MachineError):
    """An entry cannot be kept; whoever wanted it can still do without."""


class _Entry(NamedTuple):
    path: Path
    size: int
    used: int  # nanoseconds
    changed: float  # seconds


class DiskCache:
    """Arrays on disk by content hash, handed out memory-mapped and read-only.

    Any number of processes may use one folder. An entry appears under its name only when it is whole, and while one
    process makes an entry the others wait for it; a killed one leaves nothing behind that blocks or misleads. A damaged
    entry is noticed by its checksum, which each process computes once, and made again.

    What was not used for the longest time is removed when room is needed, except what this object handed out. An array
    in use stays valid even when another process removes its file.

    Args:
        folder: Where the entries are; made when first written.
        limit_bytes: What all entries together may take.

    Attributes:
        making_seconds: For each entry that this object handed out, what making it took, whoever did and whenever.
        spent_seconds: What this object's callers spent on making entries and on waiting for other processes to.

    Raises:
        UserError: The limit is not positive.
    """

    def __init__(self, folder: Path | str, limit_bytes: int) -> None:
        if limit_bytes < 1:
            raise UserError(f"the limit of the cache {folder} must be at least 1 byte, got {limit_bytes}")
        self.folder = Path(folder)
        self.limit_bytes = limit_bytes
        self._held: set[Path] = set()
        # What it took to make the entries handed out, and what this process spent on making them or waiting for them.
        self.making_seconds: dict[str, float] = {}
        self.spent_seconds = 0.0

    @property
    def size_bytes(self) -> int:
        """What the entries take now, whoever wrote them."""
        return sum(entry.size for entry in self._entries())

    def find(self, key: str) -> np.ndarray | None:
        """The entry `key`, or None if it is not there or damaged.

        Args:
            key: Hex content hash of everything that determines the values.
        """
        path = self._path(key)
        try:
            state = path.stat()
            description = _description(path, key, state.st_ino, state.st_size, state.st_mtime_ns)
            if description is None:
                return None
            values = np.memmap(path, np.dtype(description["dtype"]), "r", shape=tuple(description["shape"]))
        except FileNotFoundError:
            return None
        except OSError as error:
            logger.warning("the cached %s cannot be read (%s); it is not used", path, error.strerror)
            return None
        self._held.add(path)
        self.making_seconds[key] = float(description.get("seconds", 0.0))
        with suppress(OSError):  # somebody else's folder, which may be read only
            os.utime(path, ns=(time.time_ns(), state.st_mtime_ns))  # when it was last used
        return values

    def array(
        self, key: str, make: Callable[[], np.ndarray], correction: Callable[[], float] = lambda: 0.0
    ) -> np.ndarray:
        """The entry `key`, made if it is not there; only in memory, with a warning, where it cannot be kept.

        Args:
            key: As in `find`.
            make: Makes the values. It must not wait for a process that may want the same entry: that one waits for
                this call.
            correction: As in `blocks`.
        """
        made: list[np.ndarray] = []

        def once() -> list[np.ndarray]:
            started = time.perf_counter()
            made.append(make())
            self.making_seconds[key] = time.perf_counter() - started + correction()
            return made

        try:
            return self.blocks(key, once, correction)
        except CacheError as error:
            logger.warning("%s", error)
            return made[0] if made else make()

    def blocks(
        self, key: str, make: Callable[[], Iterable[np.ndarray]], correction: Callable[[], float] = lambda: 0.0
    ) -> np.ndarray:
        """As `array` for values that are too many for memory: written block by block as `make` yields them.

        Args:
            key: As in `find`.
            make: Yields blocks of one type that are joined along their first axis; as in `array` otherwise.
            correction: Asked after making for seconds to add to what it took: for entries of another cache that were
                needed, what those took, less what was spent on them here.

        Raises:
            CacheError: The entry cannot be kept: the folder cannot be written, the disk is full, or there is no room
                within the limit.
        """
        values = self.find(key)
        if values is not None:
            return values
        started = time.perf_counter()
        try:
            return self._made(key, make, correction)
        finally:
            self.spent_seconds += time.perf_counter() - started

    def _made(self, key: str, make: Callable[[], Iterable[np.ndarray]], correction: Callable[[], float]) -> np.ndarray:
        """The entry `key`, made here or by the process that is at it."""
        with _alone(self._path(key).with_suffix(".lock")):
            values = self.find(key)  # another process may have made it meanwhile
            if values is not None:
                return values
            started = time.perf_counter()
            self._write(key, make(), lambda: time.perf_counter() - started + correction())
        values = self.find(key)
        if values is None:
            raise CacheError(f"{self._path(key)} was lost as soon as it was written; choose another folder")
        self._evict(0)
        return values

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{SUFFIX}"

    def _write(self, key: str, blocks: Iterable[np.ndarray], seconds: Callable[[], float]) -> None:
        try:
            with atomic_file(self._path(key)) as stream:
                self._write_values(stream, key, blocks, seconds)
        except OSError as error:
            raise CacheError(
                f"cannot write to the cache {self.folder} ({error.strerror}); free space or choose another folder"
            ) from error

    def _write_values(
        self, stream: BinaryIO, key: str, blocks: Iterable[np.ndarray], seconds: Callable[[], float]
    ) -> None:
        kind: tuple[np.dtype, tuple[int, ...]] | None = None
        rows = written = room = checksum = 0
        for block in blocks:
            kind = kind or (block.dtype, block.shape[1:])
            if kind != (block.dtype, block.shape[1:]) or block.dtype.hasobject:
                raise ValueError(f"blocks of an entry must be alike, got {block.dtype} {block.shape} after {kind}")
            content = np.ascontiguousarray(block).reshape(-1).view(np.uint8).data
            written += content.nbytes
            if written > room:
                room = self._evict(written)
            if written > room:
                raise CacheError(
                    f"an entry of {written:,} bytes or more does not fit into the cache {self.folder}, whose limit is "
                    f"{self.limit_bytes:,} bytes; raise the limit"
                )
            checksum = zlib.crc32(content, checksum)
            stream.write(content)
            rows += len(block)
        if kind is None or not written:
            raise ValueError(f"the entry {key} has no values")
        facts = {"key": key, "dtype": kind[0].str, "shape": [rows, *kind[1]], "seconds": seconds()}
        text = json.dumps(facts).encode("ascii")
        stream.write(text + TAIL.pack(len(text), zlib.crc32(text, checksum), MARK))

    def _entries(self, pattern: str = f"*{SUFFIX}") -> list[_Entry]:
        entries = []
        for path in self.folder.glob(pattern):
            try:
                state = path.stat()
            except FileNotFoundError:  # another process removed it
                continue
            entries.append(_Entry(path, state.st_size, state.st_atime_ns, state.st_mtime))
        return entries

    def _evict(self, needed: int) -> int:
        """Remove what was not used for the longest time until `needed` bytes are free; returns the free bytes."""
        entries = sorted(self._entries(), key=lambda entry: entry.used)
        free = self.limit_bytes - sum(entry.size for entry in entries)
        for entry in entries:
            if free >= needed:
                break
            if entry.path not in self._held and _removed(entry.path):
                free += entry.size
        for part in self._entries(f".*{SUFFIX}.*.part"):
            if time.time() - part.changed > ABANDONED:
                _removed(part.path)
        return free


def _removed(path: Path) -> bool:
    try:
        path.unlink(missing_ok=True)
    except OSError:  # somebody else's
        return False
    return True


# The file's state is part of the arguments, so a file that was replaced is read anew.
@functools.lru_cache(maxsize=1024)
def _description(path: Path, key: str, inode: int, size: int, changed: int) -> dict[str, Any] | None:
    """Type and shape of a whole entry; None, with a warning, for a damaged one."""
    with path.open("rb") as stream:
        try:
            stream.seek(-TAIL.size, os.SEEK_END)
            length, checksum, mark = TAIL.unpack(stream.read(TAIL.size))
            stream.seek(-TAIL.size - length, os.SEEK_END)
            values = stream.tell()
            description = json.loads(stream.read(length))
            expected = int(np.prod(description["shape"])) * np.dtype(description["dtype"]).itemsize
            whole = mark == MARK and description["key"] == key and values == expected
        except (OSError, ValueError, KeyError, TypeError, struct.error, OverflowError):  # whatever odd bytes lead to
            whole = False
        if whole and _checksum(stream, size - TAIL.size) == checksum:
            return description
    logger.warning("the cached %s is damaged; it is made again", path)
    return None


def _checksum(stream: BinaryIO, length: int) -> int:
    """CRC-32 of the first `length` bytes."""
    stream.seek(0)
    checksum = 0
    while length and (block := stream.read(min(READ, length))):
        checksum = zlib.crc32(block, checksum)
        length -= len(block)
    return checksum


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other processes and threads out until the block ends; the system frees the lock of a killed process.

    Raises:
        CacheError: The folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = _lock(path)
    except OSError as error:
        raise CacheError(
            f"cannot write to the cache {path.parent} ({error.strerror}); choose another folder"
        ) from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        stream.close()


def _lock(path: Path) -> BinaryIO:
    while True:
        stream = path.open("ab")
        try:
            fcntl.flock(stream, fcntl.LOCK_EX)
        except OSError:  # a file system without locks: two processes may make the same entry, and either's is whole
            return stream
        # Who had it before may have removed the file after it was opened here; then this lock keeps nobody out.
        with suppress(FileNotFoundError):
            if os.path.samestat(path.stat(), os.fstat(stream.fileno())):
                return stream
        stream.close()
