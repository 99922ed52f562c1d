"""Fetching an archive that is published without a form: resumed where it stopped, kept only if its hash is right."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmbnft.errors import UserError
from mmbnft.tasks.preparers.archives import md5_file
from mmbnft.tasks.preparers.facts import Archive
from mmbnft.tasks.preparers.progress import progress

BLOCK = 1 << 20  # bytes


def download(archive: Archive, folder: Path) -> Path:
    """Download `archive` to `folder` and return its path; a file that is there already is kept.

    An interrupted download stays as `NAME.part` and the next call continues it.

    Raises:
        UserError: It has no public address, the server refuses, or what arrived is not the published file.
    """
    path = folder / archive.name
    if path.is_file():
        return path
    if not archive.url:
        raise UserError(f"{archive.name} has no public address; obtain it from its home page and give --archive PATH")
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{archive.name}.part"
    try:
        _fetch(archive.url, part)
    except (urllib.error.URLError, OSError) as error:
        raise UserError(f"cannot download {archive.url} ({error}); call again, or give --archive") from error
    found = md5_file(part)
    if archive.md5 and found != archive.md5:
        part.unlink()
        raise UserError(f"{archive.url} arrived with MD5 {found}, expected {archive.md5}; it was removed, try again")
    return part.replace(path)


def _fetch(url: str, part: Path) -> None:
    start = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        response = urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing is left to fetch: the part is whole, and the hash decides
            return
        raise
    with response:
        # A server that ignores the range sends the whole file again.
        resumed = start and getattr(response, "status", 200) == 206
        length = int(response.headers.get("Content-Length") or 0)
        with part.open("ab" if resumed else "wb") as stream:
            for block in progress(_blocks(response), f"downloading {part.stem}", total=length / BLOCK or None):
                stream.write(block)
        received = part.stat().st_size - (start if resumed else 0)
        if length and received < length:
            raise OSError(f"the connection ended after {received} of {length} bytes")


def _blocks(response: Any) -> Iterator[bytes]:
    while block := response.read(BLOCK):
        yield block
