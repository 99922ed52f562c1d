"""Downloads that continue where they stopped, for data sets and checkpoints alike."""

import hashlib
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from mmbnft.utils.errors import UserError

BLOCK = 1 << 20  # bytes
TIMEOUT = 60  # seconds
Report = Callable[[int, int | None], None]


def download(url: str, part: Path, report: Report, is_checked: bool = False) -> None:
    """Bring the file `part` to its full length, from where an earlier attempt stopped.

    An attempt notes which state of the source it was reading (`NAME.etag`), and only the same state is continued.

    Args:
        url: The source.
        part: Where to, under a name that says that it is not finished.
        report: Called with (bytes so far, bytes in all or None).
        is_checked: Whether the caller will hold the whole file against a published hash. Then a beginning of unknown
            origin is continued as well.

    Raises:
        UserError: The source cannot be read to its end, or is a web page.
    """
    part.parent.mkdir(parents=True, exist_ok=True)
    tag_file = part.with_name(part.name + ".etag")
    tag = tag_file.read_text(encoding="utf-8") if part.exists() and tag_file.exists() else ""
    start = part.stat().st_size if part.exists() and (tag or is_checked) else 0
    headers = {"User-Agent": "mmbnft", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    if start and tag:
        # Without the condition a changed source would be appended to the beginning of the old one.
        headers["If-Range"] = tag
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT) as answer:
            tag_file.write_text(answer.headers.get("ETag") or answer.headers.get("Last-Modified") or "", "utf-8")
            # A source that ignores the range sends the whole file again.
            _store(answer, part, start if answer.status == 206 else 0, report)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not start:
            raise UserError(
                f"{url} answered {error.code} {error.reason}; check the address, or download the file in a browser"
            ) from error
        # Nothing after `start`: the earlier attempt had the whole file.
    except (OSError, HTTPException) as error:
        raise UserError(f"cannot download {url} ({error}); run it again to continue where it stopped") from error
    tag_file.unlink(missing_ok=True)


def _store(answer: HTTPResponse, part: Path, start: int, report: Report) -> None:
    """Write an answer's body from byte `start` on, and see that it came whole."""
    if answer.headers.get_content_type() == "text/html":
        raise UserError(f"{answer.url} is a web page, not the file; download the file in a browser and name its path")
    length = answer.headers.get("Content-Length")
    total = start + int(length) if length else None
    done = start
    with part.open("r+b" if start else "wb") as stream:
        stream.seek(start)
        while block := answer.read(BLOCK):
            stream.write(block)
            done += len(block)
            report(done, total)
    if total is not None and done != total:
        raise OSError(f"{done} of {total} bytes came")


def md5_file(path: Path) -> str:
    """Hex MD5 of a file, the hash that many data sets and some checkpoints are published with.

    Raises:
        UserError: The file cannot be read.
    """
    digest = hashlib.md5(usedforsecurity=False)
    try:
        with path.open("rb") as stream, bytes_bar(f"hashing {path.name}") as report:
            total = path.stat().st_size
            while block := stream.read(BLOCK):
                digest.update(block)
                report(stream.tell(), total)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    return digest.hexdigest()


@contextmanager
def bytes_bar(description: str) -> Iterator[Report]:
    """A progress bar on standard error, and none where nobody watches; yields what moves it."""
    columns = ("{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(description, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
