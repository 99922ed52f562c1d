"""Who is at which run: locks that die with their owner, so that several benchmarks can share one store."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILE = ".claims"
# File systems without locks: everything still works, but two benchmarks may compute the same run, one after the other
# writing the same file.
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL)


class Claims:
    """The claims on the runs of one store.

    A claim is a lock on one byte of one empty file, at an offset that the run's key decides. The kernel (on a network
    file system its lock service) drops it when its owner ends in whatever way, so nothing is left to clean up or to
    expire. Claims exclude processes, not threads: within a process, every claim is granted again.

    Args:
        folder: The store's folder; made when first needed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file: int | None = None

    def __reduce__(self) -> tuple[type["Claims"], tuple[Path]]:
        """A copy in another process opens the file for itself."""
        return Claims, (self.folder,)

    def take(self, key: str) -> bool:
        """Claim the run with this content hash; False if another process is at it.

        Raises:
            OSError: The claims file cannot be written.
        """
        try:
            fcntl.lockf(self._open(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _offset(key))
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                return False
            if error.errno not in _NO_LOCKS:
                raise
        return True

    def release(self, key: str) -> None:
        """Give a claim back."""
        try:
            fcntl.lockf(self._open(), fcntl.LOCK_UN, 1, _offset(key))
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise

    @contextmanager
    def claim(self, key: str) -> Iterator[bool]:
        """Hold a claim for a block; yields whether it was granted."""
        granted = self.take(key)
        try:
            yield granted
        finally:
            if granted:
                self.release(key)

    def _open(self) -> int:
        # One descriptor for the life of the process: closing any descriptor of the file would drop all its locks.
        if self._file is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.folder / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        return self._file


def _offset(key: str) -> int:
    return int(key[:15], 16)
