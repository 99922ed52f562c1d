"""Read a checkpoint into the one layout, or load it into a network: whole, or not at all."""

import dataclasses
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from mmbnft.utils.errors import UserError
from mmbnft.zoo.catalogue import DEFAULT_ROOT
from mmbnft.zoo.certificate import Certificate
from mmbnft.zoo.fingerprint import fingerprint
from mmbnft.zoo.matching import defects, show
from mmbnft.zoo.network import Layout, layout_of
from mmbnft.zoo.normalisation import known_normalisation
from mmbnft.zoo.padding import apply_same_padding
from mmbnft.zoo.recognition import Reading, recognise
from mmbnft.zoo.sources import Source, check_hashes, content_hash, resolve


@dataclass(frozen=True)
class Backbone:
    """A checkpoint in the one target layout.

    Attributes:
        state_dict: Tensors by torchvision's names: float32 values, int64 counters.
        certificate: What was read, dropped, filled and checked.
    """

    state_dict: dict[str, Tensor]
    certificate: Certificate


def read_checkpoint(
    path: str | Path, format: str | None = None, *, branch: str = "", root: Path | str = DEFAULT_ROOT
) -> Backbone:
    """Read a file into the one ResNet layout.

    Args:
        path: File, folder of a TensorFlow checkpoint, or catalogue id.
        format: Format id, or a catalogue id to hold the file against; recognised by default.
        branch: Name of the backbone to read where the file holds several.
        root: Folder of checkpoints.

    Raises:
        UserError: The file is anything but one complete backbone in a known format.
    """
    return read_source(resolve(path, format, root, branch=branch), None, allow_partial=False)


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
    return load_source(backbone, resolve(source, format, root), allow_partial=allow_partial)


def load_source(backbone: nn.Module, source: Source, *, allow_partial: bool) -> Certificate:
    """Load a resolved source into a bare backbone, see `load_backbone`.

    Args:
        backbone: The network; changed in place.
        source: The file, its format and what is known of it.
        allow_partial: Whether missing tensors may stay as they are.

    Raises:
        UserError: The file is not complete for this network, or its values cannot be a network's.
    """
    inner = _inner(backbone)
    layout = layout_of(inner)
    odd = [name for name, spec in layout.items() if spec.dtype.is_floating_point and spec.dtype != torch.float32]
    if odd:
        raise UserError(
            f"the network to load into must be float32, got another type in {show(odd)}; build it in float32"
        )
    read = read_source(source, layout, allow_partial=allow_partial)
    inner.load_state_dict(read.state_dict, strict=not read.certificate.partial)
    padding = source.entry.same_padding if source.entry and source.entry.emulate_same_padding else ""
    if padding:
        apply_same_padding(backbone, padding)
    pad_stem(backbone, read.certificate)
    return dataclasses.replace(read.certificate, same_padding=padding, fingerprint=fingerprint(backbone))


def _inner(backbone: nn.Module) -> nn.Module:
    """The network whose names files have: timm's own in mmcls's wrapper of it, which puts `timm_model.` before them."""
    children = dict(backbone.named_children())
    return children["timm_model"] if set(children) == {"timm_model"} else backbone


def pad_stem(backbone: nn.Module, certificate: Certificate) -> None:
    """Give the first convolution the padding that the file's framework has there, if that is another.

    Args:
        backbone: A ResNet.
        certificate: Of the file.
    """
    if certificate.stem_padding:
        stem = backbone.get_submodule("conv1")
        assert isinstance(stem, nn.Conv2d)
        stem.padding = (certificate.stem_padding,) * 2


def read_source(source: Source, layout: Layout | None, *, allow_partial: bool) -> Backbone:
    """Read `source` against `layout` (default: the entry's, or else the nearest ResNet's).

    Args:
        source: The file, its format and what is known of it.
        layout: Names and shapes of the network's tensors.
        allow_partial: Whether tensors may be missing.

    Raises:
        UserError: As for `load_backbone`.
    """
    digest = content_hash(source.path)
    check_hashes(source, digest)
    reading = recognise(source, layout, allow_partial=allow_partial)
    found = reading.match
    if problems := defects(found):
        raise UserError(
            f"{source.path.name} ({found.format.id}) holds {'; '.join(problems)}; no trained network has such values, "
            "so get the file again"
        )
    state = {name: _exact(value) for name, value in found.tensors.items()}
    state.update((name, torch.zeros((), dtype=torch.int64)) for name in found.fill)
    ordered = {name: state[name] for name in found.layout if name in state}
    return Backbone(ordered, _certify(source, digest, reading))


def _exact(value: Tensor) -> Tensor:
    """An own, contiguous copy; float16 and bfloat16 become float32 without loss."""
    wide = value.to(torch.float32) if value.is_floating_point() else value
    return wide.clone(memory_format=torch.contiguous_format)


def _certify(source: Source, digest: str, reading: Reading) -> Certificate:
    found = reading.match
    normalisation, origin = known_normalisation(source, digest, found.format.id, reading.normalisation)
    floats = {name: value for name, value in found.tensors.items() if value.is_floating_point()}
    trained = [value for name, value in floats.items() if not name.endswith((".running_mean", ".running_var"))]
    dtypes = Counter(_dtype(value) for value in found.tensors.values())
    return Certificate(
        file=source.path.name,
        sha256=digest,
        format=found.format.id,
        format_known_from=source.format_known_from,
        entry=source.entry.id if source.entry else "",
        architecture=reading.network.to_dict() if reading.network else {"type": "other"},
        branch=found.branch,
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
        cast=", ".join(sorted({_dtype(value) for value in floats.values()} - {"float32"})),
        normalisation=normalisation.to_dict() if normalisation else None,
        normalisation_known_from=origin,
        stem_padding=reading.stem_padding,
        partial=not found.complete,
    )


def _dtype(value: Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")
