"""Results on disk, found again by content hash."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmbnft.grid.claims import Claims
from mmbnft.results import Result, read_result, read_results, write_result
from mmbnft.utils.errors import MachineError


class StorageError(MachineError):
    """Nothing more can be written: a reason to stop a benchmark, not to fail one of its runs."""


@contextmanager
def storing(folder: Path) -> Iterator[None]:
    """Turn the system's errors of writing into `StorageError`.

    Args:
        folder: What cannot be written, for the message.

    Raises:
        StorageError: The block raised an OSError.
    """
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"cannot write to {folder}: {error.strerror or error}; everything finished before is kept, make room and "
            "give the same command again"
        ) from error


class ResultStore:
    """A folder of result files, one for each run.

    Several processes may write to one store: every file is written atomically under a name that only the same run can
    have, so writers can neither damage nor double a result. `claims` keep them from computing the same run twice.

    Args:
        folder: Where the files are; made when first written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.claims = Claims(folder)

    def find(self, key: str) -> Result | None:
        """The result of the run with this content hash, or None."""
        for path in self.folder.glob(f"*__{key[:16]}.json"):
            result = read_result(path)
            if result.key == key:
                return result
        return None

    def write(self, result: Result) -> Path:
        """Write a result; it replaces one of the same run.

        Raises:
            StorageError: The disk is full, or the folder cannot be written any more.
        """
        with storing(self.folder):
            return write_result(self.folder, result)

    def results(self) -> list[Result]:
        """Every result; none where the folder has not been made yet."""
        return read_results(self.folder) if self.folder.is_dir() else []

    def select(self, keys: set[str]) -> list[Result]:
        """The results of the given runs; others in the folder do not count."""
        return [result for result in self.results() if result.key in keys]
