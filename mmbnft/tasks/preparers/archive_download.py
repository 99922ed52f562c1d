"""Fetching an archive that is published without a form: kept only if its hash is right."""

from pathlib import Path

from mmbnft.tasks.preparers.facts import Archive
from mmbnft.utils.download import bytes_bar, download, md5_file
from mmbnft.utils.errors import UserError


def fetch_archive(archive: Archive, folder: Path) -> Path:
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
    part = folder / f"{archive.name}.part"
    with bytes_bar(f"downloading {archive.name}") as report:
        download(archive.url, part, report, is_checked=bool(archive.md5))
    found = md5_file(part)
    if archive.md5 and found != archive.md5:
        part.unlink()
        raise UserError(f"{archive.url} arrived with MD5 {found}, expected {archive.md5}; it was removed, try again")
    return part.replace(path)
