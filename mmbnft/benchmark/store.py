"""Results on disk, found again by content hash."""

from pathlib import Path

from mmbnft.results import Result, read_result, read_results, write_result


class ResultStore:
    """A folder of result files, one for each run.

    Several processes may write to one store: every file is written atomically under a name that only the same run can
    have, so writers can neither damage nor double a result.

    Args:
        folder: Where the files are; made when first written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, key: str) -> Result | None:
        """The result of the run with this content hash, or None."""
        for path in self.folder.glob(f"*__{key[:16]}.json"):
            result = read_result(path)
            if result.key == key:
                return result
        return None

    def write(self, result: Result) -> Path:
        """Write a result; it replaces one of the same run."""
        return write_result(self.folder, result)

    def results(self) -> list[Result]:
        """Every result."""
        return read_results(self.folder)

    def select(self, keys: set[str]) -> list[Result]:
        """The results of the given runs; others in the folder do not count."""
        return [result for result in self.results() if result.key in keys]
