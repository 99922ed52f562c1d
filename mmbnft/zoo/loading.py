"""Read a checkpoint into the one layout, or load it into a network: whole, or not at all."""

import dataclasses
import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mmbnft.errors import UserError
from mmbnft.files import sha256_file
from mmbnft.zoo.catalogue import DEFAULT_ROOT, SAME_PADDING, entries, get_entry
from mmbnft.zoo.certificate import Certificate
from mmbnft.zoo.entry import IMAGENET, CatalogueEntry, Normalisation
from mmbnft.zoo.fingerprint import fingerprint
from mmbnft.zoo.formats import FORMATS, Format, get_format
from mmbnft.zoo.matching import Match, defects, matches, second_backbones, show
from mmbnft.zoo.network import Architecture, Layout, infer_architecture, layout_of, resnet_layout
from mmbnft.zoo.padding import apply_same_padding
from mmbnft.zoo.readers.byol import read_byol
from mmbnft.zoo.readers.tf_bundle import bundle_files, read_bundle
from mmbnft.zoo.readers.torch_file import container_kind, open_torch_file

_CLASSIFIER = ("best_acc1", "best_acc")


@dataclass(frozen=True)
class Backbone:
    """A checkpoint in the one target layout.

    Attributes:
        state_dict: Tensors by torchvision's names: float32 values, int64 counters.
        certificate: What was read, dropped, filled and checked.
    """

    state_dict: dict[str, Tensor]
    certificate: Certificate


@dataclass(frozen=True)
class Source:
    """Where a checkpoint comes from and what it is expected to be.

    Attributes:
        path: The file (or folder) to open.
        entry: Its catalogue entry; None for a bare file.
        form: Its format; None to recognise it.
    """

    path: Path
    entry: CatalogueEntry | None = None
    form: Format | None = None


def resolve(source: str | Path, format: str | None = None, root: Path | str = DEFAULT_ROOT) -> Source:
    """Find what `source`, a catalogue id or a path, means; `format` is a format id or a catalogue id.

    Raises:
        UserError: Neither a known id nor a file, or the entry's file has not been fetched.
    """
    form, entry = None, None
    if format is not None:
        entry = None if format in FORMATS else get_entry(format, root)
        form = get_format(entry.format if entry else format)
    name = str(source)
    path = Path(source)
    known = entries(root)
    ids = set(known) | {alias for item in known.values() for alias in item.aliases}
    if isinstance(source, str) and (name.removesuffix(SAME_PADDING) in ids or not (path.suffix or path.exists())):
        entry = get_entry(name, root)
        if not entry.files:
            raise UserError(f"{name!r} names a family of files, not one file; hand over the path of the file")
        path = Path(root) / entry.files[0]
        if not path.exists():
            raise UserError(f"{path} is missing; run: python tools/checkpoints.py fetch {entry.id}")
        form = form or get_format(entry.format)
    elif not path.exists():
        raise UserError(f"there is no file {path}; give a path that exists or a catalogue id (see checkpoints.py list)")
    return Source(path, entry, form)


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
    return sha256_file(path)


def read_checkpoint(path: str | Path, format: str | None = None, *, root: Path | str = DEFAULT_ROOT) -> Backbone:
    """Read a file into the one ResNet layout.

    Args:
        path: File, folder of a TensorFlow checkpoint, or catalogue id.
        format: Format id, or a catalogue id to hold the file against; recognised by default.
        root: Folder of checkpoints.

    Raises:
        UserError: The file is anything but one complete backbone in a known format.
    """
    return read_source(resolve(path, format, root), None, allow_partial=False)


def load_backbone(
    backbone: nn.Module,
    source: str | Path,
    *,
    format: str | None = None,
    allow_partial: bool = False,
    root: Path | str = DEFAULT_ROOT,
) -> Certificate:
    """Load a checkpoint into a bare backbone; on any error the network is left as it was.

    Args:
        backbone: Network without head; a ResNet in torchvision's names for published files, any other network for
            files whose keys are exactly its own.
        source: Catalogue id or path.
        format: Format id, or a catalogue id to hold the file against; recognised by default.
        allow_partial: Load what fits of an incomplete file, and mark the certificate.
        root: Folder of checkpoints.

    Raises:
        UserError: The file is not complete for this network, or its values cannot be a network's.
    """
    found = resolve(source, format, root)
    layout = layout_of(backbone)
    odd = [name for name, spec in layout.items() if spec.dtype.is_floating_point and spec.dtype != torch.float32]
    if odd:
        raise UserError(
            f"the network to load into must be float32, got another type in {show(odd)}; build it in float32"
        )
    read = read_source(found, layout, allow_partial=allow_partial)
    backbone.load_state_dict(read.state_dict, strict=not read.certificate.partial)
    padding = found.entry.same_padding if found.entry and found.entry.emulate_same_padding else ""
    if padding:
        apply_same_padding(backbone, padding)
    return dataclasses.replace(read.certificate, same_padding=padding, fingerprint=fingerprint(backbone))


def read_source(source: Source, layout: Layout | None, *, allow_partial: bool) -> Backbone:
    """Read `source` against `layout` (default: the entry's, or else the nearest ResNet's).

    Raises:
        UserError: As for `load_backbone`.
    """
    digest = content_hash(source.path)
    _check_hashes(source, digest)
    found = _recognise(source, layout)
    _check_entry(source, found, allow_partial)
    if not found.complete and not (allow_partial and found.tensors):
        raise UserError(_refusal(source, found))
    if problems := defects(found):
        raise UserError(f"{source.path.name} ({found.format.id}) is refused, it holds " + "; ".join(problems))
    state = {name: _exact(value) for name, value in found.tensors.items()}
    state.update((name, torch.zeros((), dtype=torch.int64)) for name in found.fill)
    ordered = {name: state[name] for name in found.layout if name in state}
    return Backbone(ordered, _certify(source, digest, found, _meta(source, found)))


def _exact(value: Tensor) -> Tensor:
    """An own, contiguous copy; float16 becomes float32 without loss."""
    wide = value.to(torch.float32) if value.is_floating_point() else value
    return wide.clone(memory_format=torch.contiguous_format)


def _open(source: Source) -> tuple[Any, str, bool]:
    """Content, kind of container, and whether it holds a namespace."""
    kind = container_kind(source.path)
    if source.form is not None and source.form.kind != kind:
        raise UserError(
            f"{source.path.name} is a {kind} file, format {source.form.id!r} needs a {source.form.kind} file; leave the "
            "format out to have it recognised"
        )
    if kind == "bundle":
        return read_bundle(source.path), kind, False
    if kind == "pickle":
        return read_byol(source.path), kind, False
    content, namespace = open_torch_file(source.path)
    return content, kind, namespace


def _recognise(source: Source, layout: Layout | None) -> Match:
    """Read the file by its format's rules, or by those of the format that fits."""
    content, kind, namespace = _open(source)
    name = source.path.name
    if isinstance(content, dict) and any(key in content for key in _CLASSIFIER):
        raise UserError(
            f"{name} is a linear-evaluation classifier, not a pre-trained backbone; use the pre-training file"
        )
    if layout is None and source.entry is not None and source.entry.architecture is not None:
        layout = _layout_if_known(source.entry.architecture)
    found = matches(content, kind, namespace, layout)
    if not found:
        raise UserError(
            f"{name} holds no state dict where any known format has one; known formats: {', '.join(FORMATS)}"
        )
    if source.form is not None:
        wanted = [candidate for candidate in found if candidate.format is source.form]
        if not wanted:
            place = (
                " or ".join(repr(key) for key in source.form.containers + source.form.requires if key) or "top level"
            )
            raise UserError(
                f"{name} has no state dict at {place}, where format {source.form.id!r} has it; the nearest known format "
                f"is {found[0].format.id!r}"
            )
        chosen = wanted[0]
        if not chosen.complete and found[0].complete:
            raise UserError(_other_format(source, chosen, found[0]))
    else:
        chosen = found[0]
        if sum(candidate.complete for candidate in found) > 1:
            ids = ", ".join(candidate.format.id for candidate in found if candidate.complete)
            raise UserError(f"{name} fits several formats ({ids}); say which with --format")
    if kind == "torch" and (others := second_backbones(content, chosen.format)):
        raise UserError(f"{name} holds further networks at {', '.join(others)}; keep one backbone in the file")
    return chosen


def _layout_if_known(architecture: Architecture) -> Layout | None:
    if architecture.type != "ResNet":
        return None
    return resnet_layout(architecture.depth, architecture.base_channels, architecture.stem_channels)


def _other_format(source: Source, wanted: Match, better: Match) -> str:
    return (
        f"{source.path.name} is not in format {wanted.format.id!r} ({wanted.distance} keys do not fit); it is in format "
        f"{better.format.id!r}"
    )


def _refusal(source: Source, found: Match) -> str:
    parts = []
    if found.missing:
        parts.append(f"{len(found.missing)} missing: {show(found.missing)}")
    if found.unexpected:
        parts.append(f"{len(found.unexpected)} unexpected: {show(found.unexpected)}")
    if source.form is None:
        start = f"{source.path.name} is in no known format; the nearest is {found.format.id!r}, against which"
    else:
        start = f"{source.path.name} is not complete in format {found.format.id!r}:"
    return (
        f"{start} {len(found.tensors)} of {len(found.layout)} tensors match ({'; '.join(parts)}); get the right file, or "
        "ask for --allow-partial, which marks every result"
    )


def _check_hashes(source: Source, digest: str) -> None:
    entry = source.entry
    if entry is None:
        return
    if entry.sha256 and not digest.startswith(entry.sha256):
        raise UserError(
            f"{source.path.name} has SHA-256 {digest[:16]}..., published for {entry.id!r} is {entry.sha256}; fetch it again"
        )
    if entry.md5:
        with source.path.open("rb") as stream:
            found = hashlib.file_digest(stream, "md5").hexdigest()
        if not found.startswith(entry.md5):
            raise UserError(
                f"{source.path.name} has MD5 {found[:16]}..., published for {entry.id!r} is {entry.md5}; fetch it again"
            )


def _check_entry(source: Source, found: Match, allow_partial: bool) -> None:
    """Hold the file against what the catalogue says about it."""
    entry = source.entry
    if entry is None or allow_partial:
        return
    if entry.tensors and found.complete and found.total not in entry.tensors:
        wanted = " or ".join(str(count) for count in entry.tensors)
        raise UserError(
            f"{source.path.name} holds {found.total} tensors, {entry.id!r} is published with {wanted}; it is another model"
        )
    nearest = infer_architecture(found.sorted.kept)
    if entry.architecture is not None and entry.architecture.type == "ResNet" and nearest != entry.architecture:
        raise UserError(
            f"{source.path.name} holds tensors nearest to {nearest}, {entry.id!r} is a {entry.architecture}; "
            f"as such {show(found.missing or found.unexpected or ('nothing',))} would not fit; get the right file"
        )


def _meta(source: Source, found: Match) -> dict[str, Any]:
    """The `meta` of our own small files, which says what the catalogue may not."""
    if found.format.id != "tiny":
        return {}
    content, _ = open_torch_file(source.path)
    return content["meta"] if isinstance(content["meta"], dict) else {}


def _normalisation(source: Source, found: Match, meta: dict[str, Any]) -> tuple[dict[str, list[float]], str]:
    if source.entry is not None and source.entry.normalisation is not None:
        return source.entry.normalisation.to_dict(), "catalogue"
    if "normalisation" in meta:
        try:
            mean, std = meta["normalisation"]["mean"], meta["normalisation"]["std"]
            return Normalisation(tuple(map(float, mean)), tuple(map(float, std))).to_dict(), "file"
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"{source.path.name} has a normalisation that cannot be read; make the file again"
            ) from error
    if found.format.normalisation is not None:
        return found.format.normalisation.to_dict(), "format"
    return IMAGENET.to_dict(), "assumed"


def _certify(source: Source, digest: str, found: Match, meta: dict[str, Any]) -> Certificate:
    normalisation, origin = _normalisation(source, found, meta)
    nearest = infer_architecture(found.sorted.kept)
    is_resnet = set(_layout_if_known(nearest) or ()) == set(found.layout)
    floats = {name: value for name, value in found.tensors.items() if value.is_floating_point()}
    trained = [value for name, value in floats.items() if not name.endswith((".running_mean", ".running_var"))]
    dtypes = Counter(str(value.dtype).removeprefix("torch.") for value in found.tensors.values())
    return Certificate(
        file=source.path.name,
        sha256=digest,
        format=found.format.id,
        entry=source.entry.id if source.entry else "",
        architecture=nearest.to_dict() if is_resnet else {"type": "other"},
        prefix=found.format.rules.prefix,
        tensors_in_file=found.total,
        matched=len(found.tensors),
        expected=len(found.layout),
        dropped=dict(found.sorted.dropped),
        missing=found.missing,
        unexpected=found.unexpected,
        filled=len(found.fill),
        parameters=sum(value.numel() for value in trained),
        float_tensors=len(floats),
        floats=sum(value.numel() for value in floats.values()),
        finite=True,
        running_var_ok=True,
        dtypes=dict(sorted(dtypes.items())),
        normalisation=normalisation,
        normalisation_source=origin,
        partial=not found.complete,
    )
