"""Where results lie: in the folder of a benchmark, a folder of their own, or one small file for a supplement."""

import io
import json
import lzma
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmbnft.artifacts import RESULTS
from mmbnft.results import Result, read_result, result_of
from mmbnft.utils import files
from mmbnft.utils.errors import UserError, meant_path

SUFFIX = ".tar.xz"
# What parameters did in each epoch is nine tenths of a result file, and only the analysis of movement needs it.
LEFT_OUT = ("moved", "sizes")


def is_archive(path: Path) -> bool:
    """Whether `path` is named as an archive of results, and is no folder."""
    return path.name.endswith(SUFFIX) and not path.is_dir()


def results_folder(path: Path) -> Path:
    """The folder of result files that `path` means: the one in the folder of a benchmark, or itself.

    Raises:
        UserError: There is no such folder.
    """
    folder = path / RESULTS if (path / RESULTS).is_dir() else path
    if not folder.is_dir():
        raise UserError(
            f"there is no folder {path}; name the folder of a benchmark or its results folder{meant_path(path)}"
        )
    return folder


def read_results(path: Path) -> list[Result]:
    """Every result of a benchmark's folder, a results folder or an archive, in the order of the file names.

    Raises:
        UserError: There is no such folder or archive, a file in it cannot be read, or the archive has no results.
    """
    if is_archive(path):
        return _archived(path)
    return [read_result(file) for file in sorted(results_folder(path).glob("*.json"))]


def write_archive(path: Path, results: Sequence[Result]) -> None:
    """Write results atomically as a compressed archive of their files, the same bytes for the same results.

    Predictions, weights and the change of parameters in each epoch are left out.

    Args:
        path: File to write; its name ends in `SUFFIX`.
        results: In any order.

    Raises:
        UserError: The name ends differently.
    """
    if not is_archive(path):
        raise UserError(f"an archive of results is a {SUFFIX} file, got {path}; choose another name")
    with files.atomic_file(path) as stream, tarfile.open(fileobj=stream, mode="w:xz") as archive:
        for result in sorted(results, key=lambda result: result.file_name):
            content = files.json_text(_shortened(result.to_dict())).encode()
            entry = tarfile.TarInfo(f"{RESULTS}/{result.file_name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def _archived(path: Path) -> list[Result]:
    if not path.exists():
        raise UserError(f"there is no archive {path}; make one by export --archive{meant_path(path)}")
    try:
        with tarfile.open(path, "r:xz") as archive:
            # In the order of the file: going back means decompressing it again.
            streams = ((member.name, archive.extractfile(member)) for member in archive)
            contents = {name: json.load(stream) for name, stream in streams if stream and name.endswith(".json")}
    except (OSError, EOFError, ValueError, tarfile.TarError, lzma.LZMAError) as error:
        raise UserError(f"{path} is not an archive of results ({error}); make one by export --archive") from error
    if not contents:
        raise UserError(f"{path} holds no results; make an archive of some by export --archive")
    return [result_of(content, f"{path}: {name}", path) for name, content in sorted(contents.items())]


def _shortened(content: dict[str, Any]) -> dict[str, Any]:
    details = content["details"]
    if not details.get("curve"):
        return content
    curve = [{name: value for name, value in entry.items() if name not in LEFT_OUT} for entry in details["curve"]]
    return content | {"details": details | {"curve": curve}}
