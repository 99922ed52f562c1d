"""Download published files: resumed after an interruption, recorded, and held against what the authors publish."""

import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from mmbnft.errors import UserError
from mmbnft.files import read_json, sha256_file, write_json
from mmbnft.zoo.entry import CatalogueEntry
from mmbnft.zoo.readers.torch_file import looks_like_web_page
from mmbnft.zoo.sources import md5_file

_BLOCK = 1 << 20
_TIMEOUT = 60
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Receipt:
    """What was downloaded, kept beside the file as `NAME.receipt.json`.

    Attributes:
        url: Source address.
        file: Local name.
        size: Bytes.
        sha256: Hex SHA-256.
        md5: Hex MD5.
        checked: Which published hash the file was held against: `sha256`, `md5` or empty.
    """

    url: str
    file: str
    size: int
    sha256: str
    md5: str
    checked: str


def fetch(entry: CatalogueEntry, root: Path, progress: Progress | None = None) -> list[Receipt]:
    """Download every file of an entry into `root`; finished files are kept.

    Args:
        entry: What to download.
        root: Folder of checkpoints.
        progress: Called with (bytes so far, bytes in all or None).

    Raises:
        UserError: There is no one source, the network fails, or what came is not the published file.
    """
    if entry.format == "tiny":
        raise UserError(f"{entry.id!r} ships with the project, in {root / entry.files[0]}; there is nothing to fetch")
    if not entry.downloads:
        raise UserError(f"{entry.id!r} has no address to download from; hand over the path of a file you have")
    return [
        _fetch_file(entry, url, root / name, progress or (lambda done, total: None)) for url, name in entry.downloads
    ]


def receipt_path(target: Path) -> Path:
    """Where the receipt of a downloaded file lies."""
    return target.with_name(target.name + ".receipt.json")


def _fetch_file(entry: CatalogueEntry, url: str, target: Path, progress: Progress) -> Receipt:
    known = receipt_path(target)
    if target.exists() and known.exists():
        receipt = Receipt(**read_json(known))
        if receipt.url == url and sha256_file(target) == receipt.sha256:
            return receipt
        raise UserError(f"{target} differs from its receipt; delete both to download it again")
    if target.exists():
        raise UserError(f"{target} exists without a receipt; verify it, or delete it to download it again")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    _download(url, part, progress)
    receipt = _check(entry, url, part, target.name)
    part.replace(target)
    write_json(known, asdict(receipt))
    return receipt


def _download(url: str, part: Path, progress: Progress) -> None:
    """Bring `part` to its full length, from where an earlier attempt stopped if the source is still the same."""
    tag_file = part.with_name(part.name + ".etag")
    tag = tag_file.read_text(encoding="utf-8") if part.exists() and tag_file.exists() else ""
    start = part.stat().st_size if tag else 0
    headers = {"User-Agent": "mmbnft", "Accept-Encoding": "identity"}
    if start:
        # Without the condition a changed source would be appended to the beginning of the old one.
        headers |= {"Range": f"bytes={start}-", "If-Range": tag}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT) as answer:
            fresh = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
            tag_file.write_text(fresh, encoding="utf-8")
            _store(answer, part, start if answer.status == 206 else 0, progress)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not start:
            raise UserError(
                f"{url} answered {error.code} {error.reason}; check the address in the catalogue"
            ) from error
        # Nothing after `start`: the earlier attempt had the whole file.
    except (OSError, HTTPException) as error:
        raise UserError(f"cannot download {url} ({error}); the same command continues where it stopped") from error
    tag_file.unlink(missing_ok=True)


def _store(answer: HTTPResponse, part: Path, start: int, progress: Progress) -> None:
    """Write an answer's body from byte `start` on, and see that it came whole."""
    if answer.headers.get_content_type() == "text/html":
        raise UserError(f"{answer.url} is a web page, not weights; download it in a browser and verify the file")
    length = answer.headers.get("Content-Length")
    total = start + int(length) if length else None
    done = start
    with part.open("r+b" if start else "wb") as stream:
        stream.seek(start)
        while block := answer.read(_BLOCK):
            stream.write(block)
            done += len(block)
            progress(done, total)
    if total is not None and done != total:
        raise OSError(f"{done} of {total} bytes came")


def _check(entry: CatalogueEntry, url: str, part: Path, name: str) -> Receipt:
    """Hold a finished download against the published hash; a wrong one is deleted."""
    with part.open("rb") as stream:
        head = stream.read(512)
    receipt = Receipt(url, name, part.stat().st_size, sha256_file(part), md5_file(part), "")
    problem = ""
    if not head:
        problem = "is empty"
    elif looks_like_web_page(head):
        problem = "is a web page, not weights"
    elif not receipt.sha256.startswith(entry.sha256):
        problem = f"has SHA-256 {receipt.sha256[:16]}..., published is {entry.sha256}"
    elif not receipt.md5.startswith(entry.md5):
        problem = f"has MD5 {receipt.md5[:16]}..., published is {entry.md5}"
    if problem:
        part.unlink()
        raise UserError(f"what {url} gave {problem}; it was deleted; download the file another way and verify it")
    checked = "sha256" if entry.sha256 else "md5" if entry.md5 else ""
    return Receipt(**{**asdict(receipt), "checked": checked})
