"""One checkpoint, resolved once: what it is called, where it lies, what is in it, and how each of these is known."""

import functools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import nn

from mmbnft.utils.errors import UserError
from mmbnft.zoo.catalogue import DEFAULT_ROOT, SAME_PADDING, entries
from mmbnft.zoo.certificate import Certificate
from mmbnft.zoo.entry import IMAGENET, Normalisation
from mmbnft.zoo.loading import load_source
from mmbnft.zoo.network import Architecture
from mmbnft.zoo.normalisation import CATALOGUE, FILE, how_to_state, known_normalisation, stated_normalisation
from mmbnft.zoo.recognition import identify
from mmbnft.zoo.sources import Source, content_hash, resolve

RANDOM = "random"
_SUFFIXES = (".tar", ".pth", ".pt", ".ckpt", ".bin", ".torch", ".safetensors", ".pkl", ".index", ".zip")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint as a plan holds it.

    Each `..._known_from` is `file` (its content proves it), `catalogue`, `stated` by the user, or empty where nothing
    tells it.

    Attributes:
        name: What results and reports call it.
        path: The file or folder; None for the random control.
        sha256: Of its content; empty for the random control.
        format: Format id; `random` for the control, empty where only the network can tell.
        format_known_from: See above.
        architecture: The ResNet in it; None for other networks and for the control.
        architecture_known_from: See above.
        normalisation: Mean and deviation of RGB in 0..1 that its inputs need; None where nothing tells them.
        normalisation_known_from: See above.
        entry: Catalogue id; empty for a bare file.
        allow_partial: Whether it may leave a part of the network unfilled.
        source: What reads the file; None for the control.
    """

    name: str
    path: Path | None
    sha256: str
    format: str
    format_known_from: str
    architecture: Architecture | None
    architecture_known_from: str
    normalisation: Normalisation | None
    normalisation_known_from: str
    entry: str = ""
    allow_partial: bool = False
    source: Source | None = field(default=None, repr=False)

    @classmethod
    def random(cls) -> "Checkpoint":
        """The control: untrained weights, with the normalisation that is usual in this field."""
        return cls(RANDOM, None, "", RANDOM, CATALOGUE, None, "", IMAGENET, CATALOGUE)

    @property
    def is_random(self) -> bool:
        """Whether it is the random control."""
        return self.source is None

    @property
    def identity(self) -> str:
        """What tells its weights apart from others': content hash, emulated padding, branch; `random` for the control.

        Neither name nor place counts.
        """
        if self.source is None:
            return RANDOM
        padded = self.source.entry is not None and self.source.entry.emulate_same_padding
        branch = f"#{self.source.branch}" if self.source.branch else ""
        return self.sha256 + (SAME_PADDING if padded else "") + branch

    def need_normalisation(self) -> Normalisation:
        """Its normalisation.

        Raises:
            UserError: Nothing tells it; the sentence says how to state it.
        """
        if self.normalisation is None:
            raise UserError(how_to_state(str(self.path), self.format or "of another network"))
        return self.normalisation

    def load(self, backbone: nn.Module) -> Certificate:
        """Load it into a bare backbone; on any error the network is left as it was.

        Raises:
            UserError: It is the control, its file has changed since it was resolved, or it does not fill the network.
        """
        if self.source is None:
            raise UserError("the random control has no weights to load; build the network from its seed instead")
        certificate = load_source(backbone, self.source, allow_partial=self.allow_partial)
        if certificate.sha256 != self.sha256:
            raise UserError(f"{self.path} has changed since the command began; give the command again")
        return certificate

    def to_dict(self) -> dict[str, Any]:
        """Everything but the reader, as JSON-able values."""
        return {
            "name": self.name,
            "path": None if self.path is None else str(self.path),
            "sha256": self.sha256,
            "format": self.format,
            "format_known_from": self.format_known_from,
            "architecture": self.architecture.to_dict() if self.architecture else None,
            "architecture_known_from": self.architecture_known_from,
            "normalisation": self.described_normalisation,
            "entry": self.entry,
            "branch": self.source.branch if self.source else "",
            "allow_partial": self.allow_partial,
        }

    @property
    def described_normalisation(self) -> dict[str, Any] | None:
        """`mean`, `std` and `known_from` for results; None where nothing tells them."""
        if self.normalisation is None:
            return None
        return self.normalisation.to_dict() | {"known_from": self.normalisation_known_from}


def resolve_checkpoint(
    text: str,
    *,
    root: Path | str = DEFAULT_ROOT,
    format: str | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    branch: str = "",
    allow_partial: bool = False,
) -> Checkpoint:
    """Find out everything about one checkpoint.

    Args:
        text: Catalogue id, path of a weight file, or `random`.
        root: Folder of the catalogue's files.
        format: Format id, or a catalogue id to hold the file against; recognised by default.
        mean: Of red, green and blue in 0..1, as a person states it.
        std: Standard deviation of the same.
        branch: Name of the backbone to read where a file holds several.
        allow_partial: Whether it may leave a part of the network unfilled.

    Raises:
        UserError: There is no such checkpoint, its file cannot be read, or what is stated contradicts it.
    """
    if text == RANDOM:
        return Checkpoint.random()
    stated = stated_normalisation(None if mean is None else tuple(mean), None if std is None else tuple(std))
    source = resolve(text, format, root, normalisation=stated, branch=branch)
    digest = content_hash(source.path)
    form, architecture, proven = _understood(source, digest)
    normalisation, known_from = known_normalisation(source, digest, form, proven)
    of_catalogue = source.named and source.entry is not None and source.entry.architecture is not None
    return Checkpoint(
        name=source.entry.id if source.named and source.entry else file_stem(text),
        path=source.path,
        sha256=digest,
        format=form,
        format_known_from=source.format_known_from if form else "",
        architecture=architecture,
        architecture_known_from="" if architecture is None else CATALOGUE if of_catalogue else FILE,
        normalisation=normalisation,
        normalisation_known_from=known_from,
        entry=source.entry.id if source.entry else "",
        allow_partial=allow_partial,
        source=source,
    )


@functools.lru_cache(maxsize=256)
def _understood(source: Source, digest: str) -> tuple[str, Architecture | None, Normalisation | None]:
    """Format id, architecture and proven normalisation; published files with an entry are not opened for it."""
    entry = source.entry
    if source.named and entry is not None and entry.architecture is not None and entry.normalisation is not None:
        return entry.format, entry.architecture, None
    return identify(source)


def file_stem(text: str) -> str:
    """The name of a weight file without its folder and its usual endings, also two of them (`.pth.tar`)."""
    name = Path(text).name
    for _ in range(2):
        stem, dot, ending = name.rpartition(".")
        if stem and dot + ending.lower() in _SUFFIXES:
            name = stem
    return name


def resolve_checkpoints(
    texts: Iterable[str],
    *,
    root: Path | str = DEFAULT_ROOT,
    format: str | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    branch: str = "",
    allow_partial: bool = False,
) -> tuple[Checkpoint, ...]:
    """Resolve the checkpoints of a plan, so that no two of them have one name.

    Files of one name are called by the shortest paths that differ: `run1/latest` and `run2/latest`. What is stated
    holds for the files among them that a path names, never for catalogue ids or the random control.

    Args:
        texts: Catalogue ids, paths of weight files, `random`.
        root: Folder of the catalogue's files.
        format: See `resolve_checkpoint`.
        mean: See `resolve_checkpoint`.
        std: See `resolve_checkpoint`.
        branch: See `resolve_checkpoint`.
        allow_partial: See `resolve_checkpoint`; holds for all.

    Raises:
        UserError: As for `resolve_checkpoint`, two are the same weights, or something is stated and none is a file.
    """
    texts = list(texts)
    files = [text for text in texts if not _is_named(text, root)]
    if (format or mean or std or branch) and not files:
        raise UserError(
            "--format, --mean, --std and --branch say what weight files are, and none is named among "
            f"{', '.join(texts)}; leave them out"
        )
    found = []
    for text in texts:
        if text in files:
            one = resolve_checkpoint(text, root=root, format=format, mean=mean, std=std, branch=branch,
                                     allow_partial=allow_partial)  # fmt: skip
        else:
            one = resolve_checkpoint(text, root=root, allow_partial=allow_partial)
        found.append(one)
    _refuse_twice(texts, found)
    return _distinct(found, root)


def _is_named(text: str, root: Path | str) -> bool:
    """Whether `text` is no path but `random` or the id or alias of a catalogue entry."""
    if text == RANDOM:
        return True
    known = entries(root)
    plain = text.removesuffix(SAME_PADDING)
    return plain in known or any(plain in entry.aliases for entry in known.values())


def _refuse_twice(texts: Sequence[str], found: Sequence[Checkpoint]) -> None:
    first: dict[str, int] = {}
    for place, (text, checkpoint) in enumerate(zip(texts, found, strict=True)):
        other = texts[first.setdefault(checkpoint.identity, place)]
        if first[checkpoint.identity] != place:
            raise UserError(
                f"{other!r} and {text!r} are the same weights, and their results one; leave one of them out"
            )


def _distinct(found: Sequence[Checkpoint], root: Path | str) -> tuple[Checkpoint, ...]:
    """The checkpoints with the shortest names that tell them apart; ids keep theirs."""
    aliases = {alias: entry.id for entry in entries(root).values() for alias in entry.aliases}
    names = [checkpoint.name for checkpoint in found]
    is_file = [checkpoint.source is not None and not checkpoint.source.named for checkpoint in found]
    for depth in range(1, 64):
        counts = Counter(aliases.get(name, name) for name in names)
        clashes = [i for i, name in enumerate(names) if is_file[i] and counts[aliases.get(name, name)] > 1]
        if not clashes:
            break
        for i in clashes:
            path = found[i].path
            assert path is not None
            names[i] = _longer(path, names[i], depth)
    return tuple(replace(checkpoint, name=name) for checkpoint, name in zip(found, names, strict=True))


def _longer(path: Path, name: str, depth: int) -> str:
    """The name with one more folder before it; at the top of the file system, with the file's ending."""
    folders = path.resolve().parts[1:-1]
    stem = file_stem(path.name)
    if depth <= len(folders):
        return "/".join((*folders[-depth:], stem))
    return "/".join((*folders, path.name))
