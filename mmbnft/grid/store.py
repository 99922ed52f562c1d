"""Results on disk, found again by content hash."""

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmbnft.artifacts import remove_artifacts, weights_path
from mmbnft.grid.claims import Claims
from mmbnft.results import Result, read_result, write_result
from mmbnft.utils.errors import MachineError, UserError

# Beside the results of a grid: how many there will be.
PLAN = "grid.json"
# What a result is called: `checkpoint`, `task`, `protocol` and `recipe`, none of which its key follows.
Names = Mapping[str, str]


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
            f"cannot write to {folder}: {error.strerror or error}; finished runs are kept, so make room and run the "
            "same command again"
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
        return next((result for _, result in self._files(f"*__{key[:16]}.json") if result.key == key), None)

    def write(self, result: Result, only_best_weights: bool = False) -> Path:
        """Write a result; it replaces one of the same run, also under another name.

        Args:
            result: What to write, with what belongs beside it.
            only_best_weights: Whether to keep, of all results of the task, only the weights of the best.

        Raises:
            StorageError: The disk is full, or the folder cannot be written any more.
        """
        with storing(self.folder):
            keeps = only_best_weights and result.artifacts.weights is not None
            if keeps and any(_rank(other) > _rank(result) for other in self._with_weights(result.task)):
                result = dataclasses.replace(result, artifacts=dataclasses.replace(result.artifacts, weights=None))
            written = write_result(self.folder, result)
            for path, other in self._files(f"*__{result.key[:16]}.json"):
                if other.key == result.key and path != written:
                    path.unlink(missing_ok=True)
            if keeps:
                # Writers at the same time agree on which is the best.
                for other in sorted(self._with_weights(result.task), key=_rank)[:-1]:
                    weights_path(self.folder, other.key).unlink(missing_ok=True)
            return written

    def _with_weights(self, task: str) -> list[Result]:
        """Results of a task whose weights are kept."""
        folder = weights_path(self.folder, "").parent
        found = [result for path in folder.glob("*.pth") for _, result in self._files(f"*__{path.stem}.json")]
        return [result for result in found if result.task == task]

    def remove(self, result: Result) -> None:
        """Remove a result and what lies beside it; nothing happens where it is gone."""
        for path, other in self._files(f"*__{result.key[:16]}.json"):
            if other.key == result.key:
                path.unlink(missing_ok=True)
        remove_artifacts(self.folder, result.key)

    def results(self) -> list[Result]:
        """Every result; none where the folder has not been made yet."""
        return [result for _, result in self._files("*.json")]

    def select(self, names: Mapping[str, Names]) -> list[Result]:
        """The results of planned jobs, under the names that the plan has for them now; others do not count.

        Args:
            names: What results of each job are called, by key.
        """
        return [_named(result, names[result.key]) for result in self.results() if result.key in names]

    def adopt(self, names: Mapping[str, Names]) -> int:
        """Give results on disk the names of a plan, which differ from theirs where a weight file was renamed since.

        Args:
            names: What results of each job are called, by key.

        Returns:
            How many had other names.
        """
        adopted = 0
        for result in self.results():
            renamed = _named(result, names.get(result.key, {}))
            if renamed == result:
                continue
            with self.claims.claim(result.key) as granted:
                if granted:
                    self.write(renamed)
                    adopted += 1
        return adopted

    def _files(self, pattern: str) -> Iterator[tuple[Path, Result]]:
        for path in sorted(self.folder.glob(pattern)):
            try:
                yield path, read_result(path)
            except UserError:
                if path.exists():  # otherwise another process has given it another name
                    raise


def _named(result: Result, names: Names) -> Result:
    changes: dict[str, Any] = dict(names)
    return dataclasses.replace(result, **changes)


def _rank(result: Result) -> tuple[float, str]:
    """What results are ordered by where one of them is to be the best."""
    return result.value or 0.0, result.key
