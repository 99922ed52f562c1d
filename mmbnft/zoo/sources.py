"""Find the file that a catalogue id or a path names, and identify it by its content."""

import dataclasses
import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

from mmbnft.utils.download import md5_file
from mmbnft.utils.errors import UserError, meant_path
from mmbnft.utils.files import sha256_file
from mmbnft.zoo.architecture import AnyNetwork, network_from_text
from mmbnft.zoo.catalogue import DEFAULT_ROOT, SAME_PADDING, catalogue_file, entries, get_entry
from mmbnft.zoo.entry import PIP, CatalogueEntry, Normalisation
from mmbnft.zoo.formats import FORMATS, Format, get_format
from mmbnft.zoo.origins import distribution_file, entry_of, scheme_of
from mmbnft.zoo.readers.tf_bundle import bundle_files


@dataclass(frozen=True)
class Source:
    """Where a checkpoint comes from and what it is expected to be.

    Attributes:
        path: The file (or folder) to open.
        entry: Its catalogue entry; None for a bare file.
        form: Its format; None to recognise it.
        stated: Input normalisation that a person states; None for none.
        branch: Name of the backbone to read where the file holds several; empty for none in particular.
        named: Whether a person named the file by its entry's id, rather than by a path.
        network: The network in it that a person states; None to find it.
    """

    path: Path
    entry: CatalogueEntry | None = None
    form: Format | None = None
    stated: Normalisation | None = None
    branch: str = ""
    named: bool = False
    network: AnyNetwork | None = None

    @property
    def format_known_from(self) -> str:
        """`catalogue`, `stated` or `file`: who says what format it is in."""
        if self.form is None:
            return "file"
        return "catalogue" if self.named and self.entry is not None else "stated"


def resolve(
    source: str | Path,
    format: str | None = None,
    root: Path | str = DEFAULT_ROOT,
    *,
    normalisation: Normalisation | None = None,
    branch: str = "",
    network: str = "",
    catalogue: Path | str = "",
) -> Source:
    """Find what a person means by `source`.

    Args:
        source: Catalogue id, path, or a source that `scheme_of` knows.
        format: Format id, or a catalogue id to hold the file against; recognised by default.
        root: Folder of checkpoints.
        normalisation: Input normalisation that the person states.
        branch: Name of the backbone to read where a file holds several.
        network: Name of the network in it, see `network_from_text`; found by default.
        catalogue: File of a user's catalogue.

    Raises:
        UserError: Neither a known id nor a file, or the entry's file has not been fetched.
    """
    form, entry, by_id = None, None, False
    if format is not None:
        entry = None if format in FORMATS else get_entry(format, root, catalogue)
        form = get_format(entry.format if entry else format)
    name = str(source)
    path = Path(source)
    known = entries(root, catalogue)
    ids = set(known) | {alias for item in known.values() for alias in item.aliases}
    if isinstance(source, str) and name not in ids and scheme_of(name):
        entry, by_id = entry_of(name), True
        path = Path(entry.files[0])
    elif isinstance(source, str) and (name.removesuffix(SAME_PADDING) in ids or not (path.suffix or path.exists())):
        entry, by_id = get_entry(name, root, catalogue), True
        entry, path = _entry_file(entry, Path(root))
        form = form or (get_format(entry.format) if entry.format else None)
    elif not path.exists():
        raise UserError(
            f"there is no file {path}; give an existing path or a catalogue id (see mmbnft checkpoints list)"
            f"{meant_path(path)}"
        )
    stated = network_from_text(network) if network else None
    branch = branch or (entry.branch if entry else "")
    return Source(path, entry, form, normalisation, branch, by_id, stated)


def _entry_file(entry: CatalogueEntry, root: Path) -> tuple[CatalogueEntry, Path]:
    """The file of an entry, and the entry with what the source of the file adds to it.

    Raises:
        UserError: It names no one file, or the file is not there.
    """
    if entry.url.startswith(PIP):
        return entry, distribution_file(entry.url.removeprefix(PIP))[0]
    if not entry.files:
        raise UserError(f"{entry.id!r} names a family of files, not one file; name the path of the file")
    if entry.own and scheme_of(entry.files[0]):
        kept = entry_of(entry.files[0])
        network = entry.architecture or kept.architecture
        normalisation = entry.normalisation or kept.normalisation
        entry = dataclasses.replace(
            entry,
            architecture=network,
            normalisation=normalisation,
            url=kept.url,
            revision=kept.revision,
            files=kept.files,
        )
    path = catalogue_file(root, entry.files[0])
    if not path.exists():
        how = "correct its catalogue" if entry.own else f"run: mmbnft checkpoints fetch {entry.id}"
        raise UserError(f"{path} is missing; {how}")
    return entry, path


def file_identity(source: str | Path, root: Path | str = DEFAULT_ROOT) -> tuple[Path, str]:
    """Path and content hash of what `source` names; the hash also tells emulated padding apart.

    Raises:
        UserError: As for `resolve`.
    """
    found = resolve(source, None, root)
    digest = content_hash(found.path)
    padded = found.entry is not None and found.entry.emulate_same_padding
    return found.path, digest + SAME_PADDING if padded else digest


def content_hash(path: Path) -> str:
    """SHA-256 of a file; of a TensorFlow checkpoint, over the hashes of its files."""
    if path.is_dir() or path.suffix == ".index":
        parts = [sha256_file(part) for part in bundle_files(path)]
        return hashlib.sha256("".join(parts).encode("ascii")).hexdigest()
    if not path.is_file():
        return sha256_file(path)
    found = path.stat()
    # A file that takes the place of another may have its size and time; its number differs then.
    return _hash_once(path, (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns))


@functools.lru_cache(maxsize=1024)
def _hash_once(path: Path, _state: tuple[int, ...]) -> str:
    """Hash of a file as it was at a time: the plan of a benchmark asks once for each run."""
    return sha256_file(path)


def check_hashes(source: Source, digest: str) -> None:
    """Hold a file against the hashes that its authors publish.

    Raises:
        UserError: They differ.
    """
    entry, name = source.entry, source.path.name
    if entry is None:
        return
    found = {"SHA-256": (digest, entry.sha256)}
    if entry.md5:
        found["MD5"] = (md5_file(source.path), entry.md5)
    for kind, (actual, published) in found.items():
        if not actual.startswith(published):
            raise UserError(
                f"{name} has {kind} {actual[:16]}..., published for {entry.id!r} is {published}; fetch it again"
            )
