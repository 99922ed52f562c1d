"""Open a file, find the format it is in, and refuse it in one sentence when there is none."""

from collections.abc import Mapping
from typing import Any

from mmbnft.utils.errors import UserError
from mmbnft.zoo.formats import FORMATS
from mmbnft.zoo.matching import Match, match, matches, second_backbones, show
from mmbnft.zoo.network import Architecture, Layout, infer_architecture, resnet_layout
from mmbnft.zoo.readers.byol import read_byol
from mmbnft.zoo.readers.tf_bundle import read_bundle
from mmbnft.zoo.readers.torch_file import container_kind, open_torch_file
from mmbnft.zoo.sources import Source

_CLASSIFIER = ("best_acc1", "best_acc")


def recognise(source: Source, layout: Layout | None, *, allow_partial: bool) -> tuple[Match, Mapping[str, Any]]:
    """Read a file by its format's rules, or by those of the format that fits.

    Args:
        source: The file, and what is known about it.
        layout: What it must hold; by default the entry's layout, or else the nearest ResNet's.
        allow_partial: Whether an incomplete match will do.

    Returns:
        The match, and the file's own `meta` if its format has one.

    Raises:
        UserError: The file cannot be read, holds no or several backbones, or does not match.
    """
    content, kind, namespace = _open(source)
    if isinstance(content, dict) and any(key in content for key in _CLASSIFIER):
        raise UserError(
            f"{source.path.name} is a linear-evaluation classifier, not a backbone; use the pre-training file"
        )
    expected = layout or entry_layout(source)
    found = _choose(source, matches(content, kind, namespace, expected))
    if kind == "torch" and (others := second_backbones(content, found.format)):
        where = ", ".join(others)
        raise UserError(f"{source.path.name} holds further networks at {where}; keep one backbone in the file")
    if not allow_partial:
        _check_entry(source, found)
    if not found.complete and not (allow_partial and found.tensors):
        raise UserError(_refusal(source, found))
    meta = content.get("meta") if found.format.requires == ("meta",) else None
    return found, meta if isinstance(meta, dict) else {}


def entry_layout(source: Source) -> Layout | None:
    """The layout of the catalogue entry's ResNet, if the source has an entry that says so."""
    return layout_if_resnet(source.entry.architecture) if source.entry else None


def layout_if_resnet(architecture: Architecture | None) -> Layout | None:
    """The layout of a ResNet; None for other types, whose layout only the network itself knows."""
    if architecture is None or architecture.type != "ResNet":
        return None
    return resnet_layout(architecture.depth, architecture.base_channels, architecture.stem_channels)


def _open(source: Source) -> tuple[Any, str, bool]:
    """Content, kind of container, and whether it holds a namespace."""
    kind, form = container_kind(source.path), source.form
    if form is not None and form.kind != kind:
        raise UserError(
            f"{source.path.name} is a file of kind {kind!r}, format {form.id!r} needs {form.kind!r}; leave the format "
            "out to have it recognised"
        )
    if kind == "bundle":
        return read_bundle(source.path), kind, False
    if kind == "pickle":
        return read_byol(source.path), kind, False
    content, namespace = open_torch_file(source.path)
    return content, kind, namespace


def _choose(source: Source, found: list[Match]) -> Match:
    """The match in the wanted format, or the one complete or nearest match."""
    name = source.path.name
    if not found:
        known = ", ".join(FORMATS)
        raise UserError(f"{name} holds no tensors where any known format has them; known formats: {known}")
    complete = [candidate.format.id for candidate in found if candidate.complete]
    if source.form is None:
        if len(complete) > 1:
            raise UserError(f"{name} fits several formats ({', '.join(complete)}); say which with --format")
        return found[0]
    wanted = next((candidate for candidate in found if candidate.format is source.form), None)
    if wanted is None:
        place = " or ".join(repr(key) for key in (*source.form.containers, *source.form.requires) if key) or "top level"
        raise UserError(
            f"{name} has no tensors at {place}, where format {source.form.id!r} has them; the nearest known format is "
            f"{found[0].format.id!r}"
        )
    if complete and not wanted.complete:
        raise UserError(
            f"{name} is not in format {wanted.format.id!r} ({wanted.distance} keys do not fit, e.g. "
            f"{show((wanted.missing + wanted.unexpected)[:1])}) but in format {complete[0]!r}; say so with --format"
        )
    return wanted


def _check_entry(source: Source, found: Match) -> None:
    """Hold the file against what the catalogue says about it."""
    entry, name = source.entry, source.path.name
    if entry is None:
        return
    if entry.tensors and found.complete and found.total not in entry.tensors:
        wanted = " or ".join(str(count) for count in entry.tensors)
        raise UserError(f"{name} holds {found.total} tensors, {entry.id!r} has {wanted}; it is another model's file")
    if entry.architecture is None or entry.architecture.type != "ResNet":
        return
    nearest = infer_architecture(found.sorted.kept)
    if found.sorted.kept and nearest != entry.architecture:
        raise UserError(
            f"{name} holds a network nearest to {nearest}, {entry.id!r} is a {entry.architecture}; get the right file"
        )


def _refusal(source: Source, found: Match) -> str:
    """Why a file does not match, in one sentence."""
    parts = []
    if found.missing:
        parts.append(f"{len(found.missing)} missing: {show(found.missing)}")
    if found.unexpected:
        parts.append(f"{len(found.unexpected)} unexpected: {show(found.unexpected)}")
    own = match(found.sorted.kept, FORMATS["flat"], None)
    if own.complete and not found.sorted.unexpected:
        nearest = infer_architecture(found.sorted.kept)
        start = f"{source.path.name} is a complete {nearest} in format {found.format.id!r}, but the network is another:"
    elif source.form is None:
        start = f"{source.path.name} is complete in no known format; the nearest is {found.format.id!r}, against which"
    else:
        start = f"{source.path.name} is not complete in format {found.format.id!r}:"
    possible = len(found.layout) - len(found.fill)
    return (
        f"{start} {len(found.tensors)} of {possible} tensors match ({'; '.join(parts)}); get the right file, or ask "
        "for --allow-partial, which marks every result"
    )
