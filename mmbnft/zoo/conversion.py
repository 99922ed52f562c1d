"""Convert a checkpoint to the one layout, or verify it, without a network from the host framework."""

import dataclasses
from pathlib import Path

import torch
from torch import Tensor

from mmbnft.utils.errors import UserError
from mmbnft.utils.files import write_with
from mmbnft.zoo.catalogue import DEFAULT_ROOT
from mmbnft.zoo.certificate import Certificate
from mmbnft.zoo.fingerprint import fingerprint
from mmbnft.zoo.loading import Backbone, read_source
from mmbnft.zoo.network import Architecture, ResNet
from mmbnft.zoo.sources import resolve


def verify(
    source: str | Path, format: str | None = None, *, allow_partial: bool = False, root: Path | str = DEFAULT_ROOT
) -> Certificate:
    """The certificate of a file, with the fingerprint of the ResNet that it holds.

    Args:
        source: Catalogue id or path.
        format: Format id, or a catalogue id to hold the file against; recognised by default.
        allow_partial: Certify an incomplete file too, without a fingerprint.
        root: Folder of checkpoints.

    Raises:
        UserError: The file is not one backbone in a known format.
    """
    return _certified(source, format, allow_partial, root).certificate


def convert(
    source: str | Path,
    target: Path,
    format: str | None = None,
    *,
    allow_partial: bool = False,
    root: Path | str = DEFAULT_ROOT,
) -> Certificate:
    """Write a checkpoint as MMSelfSup's configurations load it: `{"state_dict", "meta"}`, torchvision's names, float32.

    The certificate of the conversion, with the input normalisation, travels in `meta`.

    Raises:
        UserError: As for `verify`, or `target` exists.
    """
    if target.exists():
        raise UserError(f"{target} exists; delete it or name another file")
    read = _certified(source, format, allow_partial, root)
    write_with(target, lambda stream: torch.save(_content(read.state_dict, read.certificate), stream))
    return read.certificate


def _content(state: dict[str, Tensor], certificate: Certificate) -> dict[str, object]:
    meta = {
        "architecture": certificate.architecture,
        "normalisation": certificate.normalisation,
        "certificate": certificate.to_dict(),
    }
    return {"meta": meta, "state_dict": state}


def _certified(source: str | Path, format: str | None, allow_partial: bool, root: Path | str) -> Backbone:
    read = read_source(resolve(source, format, root), None, allow_partial=allow_partial)
    if read.certificate.partial:
        return read
    network = ResNet(Architecture(**read.certificate.architecture))
    network.load_state_dict(read.state_dict)
    certificate = dataclasses.replace(read.certificate, fingerprint=fingerprint(network))
    return Backbone(read.state_dict, certificate)
