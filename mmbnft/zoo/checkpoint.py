"""One checkpoint, resolved once: what it is called, where it lies, what is in it, and how each of these is known."""

import functools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from torch import nn

from mmbnft.utils.errors import UserError, choices
from mmbnft.zoo.architecture import POOLINGS, AnyNetwork, LibraryNetwork
from mmbnft.zoo.catalogue import DEFAULT_ROOT, SAME_PADDING, entries, get_entry
from mmbnft.zoo.certificate import Certificate
from mmbnft.zoo.entry import IMAGENET, RANDOM, Normalisation
from mmbnft.zoo.formats import FORMATS, get_format
from mmbnft.zoo.library import has_tokens
from mmbnft.zoo.loading import load_source
from mmbnft.zoo.normalisation import CATALOGUE, STATED, how_to_state, known_normalisation, stated_normalisation
from mmbnft.zoo.origins import KNOWN_SCHEMES, scheme_of
from mmbnft.zoo.recognition import identify, refuse_several_networks
from mmbnft.zoo.sources import Source, content_hash, resolve

_SUFFIXES = (".tar", ".pth", ".pt", ".ckpt", ".bin", ".torch", ".safetensors", ".pkl", ".index", ".zip")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint as a plan holds it.

    Each `..._known_from` is `file` (its content proves it), `catalogue`, `stated` by the user, or empty where nothing
    tells it; of the network also `shapes`, where names and shapes of its tensors fit one network of a library alone.

    Attributes:
        name: What results and reports call it.
        path: Of the file or folder, absolute; None for the random control.
        sha256: Of its content; empty for the random control.
        format: Format id; `random` for the control, empty where only the network can tell.
        format_known_from: See above.
        architecture: The network in it; None where nothing tells it.
        architecture_known_from: See above.
        normalisation: Mean and deviation of RGB in 0..1 that its inputs need; None where nothing tells them.
        normalisation_known_from: See above.
        entry: Catalogue id; empty for a bare file.
        allow_partial: Whether it may leave a part of the network unfilled.
        branch: Name of the backbone to read where the file holds several; empty for none in particular.
        root: Folder of the catalogue that it was found with.
        origin: Source that another package keeps it in, with its revision; empty for others.
        is_named: Whether a person named it by an id or a source, or as the control, rather than by a path.
    """

    name: str
    path: str | None
    sha256: str
    format: str
    format_known_from: str
    architecture: AnyNetwork | None
    architecture_known_from: str
    normalisation: Normalisation | None
    normalisation_known_from: str
    entry: str = ""
    branch: str = ""
    allow_partial: bool = False
    root: str = ""
    origin: str = ""
    is_named: bool = False

    @classmethod
    def random(cls) -> "Checkpoint":
        """The control: untrained weights, with the normalisation that is usual in this field."""
        return cls(RANDOM, None, "", RANDOM, CATALOGUE, None, "", IMAGENET, CATALOGUE, is_named=True)

    @property
    def is_random(self) -> bool:
        """Whether it is the random control."""
        return self.path is None

    @property
    def identity(self) -> str:
        """What tells its weights apart from others': content hash, emulated padding, branch; `random` for the control.

        Neither name nor place counts.
        """
        if self.is_random:
            return RANDOM
        padding = SAME_PADDING if self.entry.endswith(SAME_PADDING) else ""
        return self.sha256 + padding + (f"#{self.branch}" if self.branch else "")

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
        certificate = load_source(backbone, self._source(), allow_partial=self.allow_partial)
        if certificate.sha256 != self.sha256:
            raise UserError(f"{self.path} has changed since the command began; run the command again")
        known = self.normalisation.to_dict() if self.normalisation else None
        return replace(certificate, normalisation=known, normalisation_known_from=self.normalisation_known_from)

    def _source(self) -> Source:
        """What opens its file, by what is known of it."""
        if self.path is None:
            raise UserError("the random control has no weights to load; build the network from its seed instead")
        entry = get_entry(self.entry, self.root) if self.entry else None
        # A format that was only recognised is recognised again, against the network's own layout.
        form = get_format(self.format) if self.format and self.format_known_from in (CATALOGUE, STATED) else None
        stated = self.normalisation if self.normalisation_known_from == STATED and not _follows(self) else None
        return Source(Path(self.path), entry, form, stated, self.branch, self.is_named, self.architecture)

    def refuse_several_networks(self) -> None:
        """Refuse it where its tensors fit several networks and nothing else tells which is meant.

        Raises:
            UserError: They do.
        """
        refuse_several_networks(self._source())

    @property
    def described_normalisation(self) -> dict[str, Any] | None:
        """`mean`, `std` and `known_from` for results; None where nothing tells them."""
        if self.normalisation is None:
            return None
        return self.normalisation.to_dict() | {"known_from": self.normalisation_known_from}


@dataclass(frozen=True)
class Statement:
    """What a person states about weight files, on the command line or in a configuration.

    Attributes:
        format: Format id, or a catalogue id to hold files against; None to recognise it.
        mean: Of red, green and blue in 0..1; None for what the file or the catalogue says.
        std: Standard deviation of the same.
        branch: Name of the backbone to read where a file holds several.
        network: Name of their network, see `network_from_text`; found by default.
        pooling: How the tokens of networks that have some become features; empty for each network's own way. It holds
            for catalogue ids too.
        catalogue: File of a user's catalogue.
        allow_partial: Whether a checkpoint may leave a part of the network unfilled; holds for catalogue ids too.
    """

    format: str | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    branch: str = ""
    network: str = ""
    pooling: str = ""
    catalogue: str = ""
    allow_partial: bool = False

    @classmethod
    def from_config(cls, content: Mapping[str, Any]) -> "Statement":
        """Read it from a configuration.

        Raises:
            UserError: A setting is unknown, or not what it has to be.
        """
        names = [entry.name for entry in fields(cls)]
        if set(content) - set(names):
            raise UserError(
                f"unknown settings {choices(set(content) - set(names))} in stated; allowed: {choices(names)}"
            )
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in content.items()}
        made = cls(**values)
        stated_normalisation(made.mean, made.std)
        if made.pooling and made.pooling not in POOLINGS:
            raise UserError(f"pooling must be one of {choices(POOLINGS)}, got {made.pooling!r}")
        return made

    def for_one(self, text: str, root: Path | str = DEFAULT_ROOT) -> "Statement":
        """What holds for one checkpoint of several: all of it for a file, a part for an id.

        Args:
            text: Catalogue id, path of a weight file, or `random`.
            root: Folder of the catalogue's files.
        """
        if not _is_named(text, root, self.catalogue):
            return self
        return Statement(pooling=self.pooling, catalogue=self.catalogue, allow_partial=self.allow_partial)

    @property
    def about_files(self) -> bool:
        """Whether it says something that can only be said of a weight file."""
        return bool(self.format or self.mean or self.std or self.branch or self.network)


def _follows(checkpoint: Checkpoint) -> bool:
    """Whether its normalisation is that of a format that the user states, and not stated itself."""
    return FORMATS[checkpoint.format].normalisation == checkpoint.normalisation if checkpoint.format else False


def resolve_checkpoint(
    text: str,
    *,
    root: Path | str = DEFAULT_ROOT,
    format: str | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    branch: str = "",
    network: str = "",
    pooling: str = "",
    catalogue: Path | str = "",
    allow_partial: bool = False,
) -> Checkpoint:
    """Find out everything about one checkpoint.

    Args:
        text: Catalogue id, path of a weight file, a source such as `hf:OWNER/NAME`, or `random`.
        root: Folder of the catalogue's files.
        format: Format id, or a catalogue id to hold the file against; recognised by default.
        mean: Of red, green and blue in 0..1, as a person states it.
        std: Standard deviation of the same.
        branch: Name of the backbone to read where a file holds several.
        network: Name of its network, see `network_from_text`; found by default.
        pooling: How its tokens become features, if it has some; empty for the network's own way.
        catalogue: File of a user's catalogue.
        allow_partial: Whether it may leave a part of the network unfilled.

    Raises:
        UserError: There is no such checkpoint, its file cannot be read, or what is stated contradicts it.
    """
    if text == RANDOM:
        return Checkpoint.random()
    stated = stated_normalisation(None if mean is None else tuple(mean), None if std is None else tuple(std))
    source = resolve(text, format, root, normalisation=stated, branch=branch, network=network, catalogue=catalogue)
    digest = content_hash(source.path)
    form, found, found_from, proven = _understood(source, digest)
    normalisation, known_from = known_normalisation(source, digest, form, proven)
    known = entries(root)
    return Checkpoint(
        name=source.entry.id if source.named and source.entry else file_stem(text),
        path=str(source.path.absolute()),
        sha256=digest,
        format=form,
        format_known_from=source.format_known_from if form else "",
        architecture=_with_pooling(found, pooling),
        architecture_known_from=found_from,
        normalisation=normalisation,
        normalisation_known_from=known_from,
        entry=source.entry.id if source.entry and source.entry.id in known else "",
        branch=source.branch,
        allow_partial=allow_partial,
        root=str(Path(root).absolute()),
        origin=f"{source.entry.url}@{source.entry.revision}" if source.entry and source.entry.revision else "",
        is_named=source.named,
    )


@functools.lru_cache(maxsize=256)
def _understood(source: Source, digest: str) -> tuple[str, AnyNetwork | None, str, Normalisation | None]:
    """Format id, network, how it is known, proven normalisation; published files are not opened for it."""
    entry = source.entry
    if source.named and entry is not None and entry.architecture is not None and entry.normalisation is not None:
        return entry.format, entry.architecture, CATALOGUE, None
    found = identify(source)
    # Of a network that is not known here, only the network itself can tell the format.
    return (
        found.match.format.id if found.is_judged else "",
        found.network,
        found.network_known_from,
        found.normalisation,
    )


def _with_pooling(network: AnyNetwork | None, pooling: str) -> AnyNetwork | None:
    """The network, pooled as stated if it is one of tokens."""
    if not pooling or not isinstance(network, LibraryNetwork) or not has_tokens(network):
        return network
    return replace(network, pooling=pooling)


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
    stated: Statement | None = None,
) -> tuple[Checkpoint, ...]:
    """Resolve the checkpoints of a plan, so that no two of them have one name.

    Files of one name are called by the shortest paths that differ: `run1/latest` and `run2/latest`. What is stated
    holds for the files among them that a path names, never for catalogue ids or the random control.

    Args:
        texts: Catalogue ids, paths of weight files, `random`.
        root: Folder of the catalogue's files.
        stated: What is stated about the weight files among them; `allow_partial` holds for all.

    Raises:
        UserError: As for `resolve_checkpoint`, two are the same weights, or something is stated and none is a file.
    """
    texts, stated = list(texts), stated or Statement()
    files = [text for text in texts if not _is_named(text, root, stated.catalogue)]
    if stated.about_files and not files:
        raise UserError(
            "--format, --mean, --std, --branch and --network describe weight files, but no weight file is among "
            f"{', '.join(texts)}; leave them out"
        )
    found = [resolve_checkpoint(text, root=root, **vars(stated.for_one(text, root))) for text in texts]
    _refuse_twice(texts, found)
    return _distinct(found, root)


def _is_named(text: str, root: Path | str, catalogue: Path | str = "") -> bool:
    """Whether `text` is no path but `random`, an id or alias of a catalogue entry, or a source that says everything."""
    if text == RANDOM or scheme_of(text) in KNOWN_SCHEMES:
        return True
    known = entries(root, catalogue)
    plain = text.removesuffix(SAME_PADDING)
    return plain in known or any(plain in entry.aliases for entry in known.values())


def _refuse_twice(texts: Sequence[str], found: Sequence[Checkpoint]) -> None:
    first: dict[str, int] = {}
    for place, (text, checkpoint) in enumerate(zip(texts, found, strict=True)):
        other = texts[first.setdefault(checkpoint.identity, place)]
        if first[checkpoint.identity] != place:
            raise UserError(f"{other!r} and {text!r} are the same weights and would share their results; leave one out")


def _distinct(found: Sequence[Checkpoint], root: Path | str) -> tuple[Checkpoint, ...]:
    """The checkpoints with the shortest names that tell them apart; ids keep theirs."""
    aliases = {alias: entry.id for entry in entries(root).values() for alias in entry.aliases}
    names = [checkpoint.name for checkpoint in found]
    for depth in range(1, 64):
        counts = Counter(aliases.get(name, name) for name in names)
        clashes = [i for i, name in enumerate(names) if not found[i].is_named and counts[aliases.get(name, name)] > 1]
        if not clashes:
            break
        for i in clashes:
            names[i] = _longer(Path(str(found[i].path)), depth)
    return tuple(replace(checkpoint, name=name) for checkpoint, name in zip(found, names, strict=True))


def _longer(path: Path, depth: int) -> str:
    """The file's name with `depth` folders before it; past the top of the file system, with the file's ending."""
    folders = path.resolve().parts[1:-1]
    stem = file_stem(path.name)
    if depth <= len(folders):
        return "/".join((*folders[-depth:], stem))
    return "/".join((*folders, path.name))
