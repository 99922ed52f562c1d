"""Results as one small file: for the supplement of a paper, for a colleague, for a repository."""

import io
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmbnft.results import Result
from mmbnft.utils import files
from mmbnft.utils.errors import UserError

SUFFIX = ".tar.xz"
# What parameters did in each epoch is nine tenths of a result file, and only the analysis of movement needs it.
LEFT_OUT = ("moved", "sizes")


def write_archive(path: Path, results: Sequence[Result]) -> None:
    """Write results atomically as a compressed archive of their files, the same bytes for the same results.

    Predictions, weights and the change of parameters in each epoch are left out.

    Args:
        path: File to write; its name ends in `SUFFIX`.
        results: In any order.

    Raises:
        UserError: The name ends differently.
    """
    if not path.name.endswith(SUFFIX):
        raise UserError(f"an archive of results is a {SUFFIX} file, got {path}; choose another name")
    with files.atomic_file(path) as stream, tarfile.open(fileobj=stream, mode="w:xz") as archive:
        for result in sorted(results, key=lambda result: result.file_name):
            content = files.json_text(_shortened(result.to_dict())).encode()
            entry = tarfile.TarInfo(f"results/{result.file_name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


@contextmanager
def read_archive(path: Path) -> Iterator[Path]:
    """A folder with the result files of an archive, for as long as the block lasts.

    Raises:
        UserError: The file is missing, damaged, something else, or without results.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            with tarfile.open(path, "r:xz") as archive:
                archive.extractall(folder, filter="data")
        except (OSError, EOFError, tarfile.TarError) as error:
            raise UserError(f"{path} is not an archive of results ({error}); make one by export --archive") from error
        if not any(folder.glob("results/*.json")):
            raise UserError(f"{path} holds no results; make an archive of some by export --archive")
        yield folder


def _shortened(content: dict[str, Any]) -> dict[str, Any]:
    details = content["details"]
    if not details.get("curve"):
        return content
    curve = [{name: value for name, value in entry.items() if name not in LEFT_OUT} for entry in details["curve"]]
    return content | {"details": details | {"curve": curve}}
