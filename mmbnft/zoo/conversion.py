"""Convert a checkpoint to the one layout, or verify it, without a network from the host framework."""

import dataclasses
from pathlib import Path

import torch
from torch import Tensor

from mmbnft.utils.errors import UserError
from mmbnft.utils.files import write_with
from mmbnft.zoo.architecture import Architecture, LibraryNetwork, network_from_config
from mmbnft.zoo.certificate import Certificate
from mmbnft.zoo.fingerprint import fingerprint
from mmbnft.zoo.library import build_library_network
from mmbnft.zoo.loading import Backbone, pad_stem, read_source
from mmbnft.zoo.network import ResNet
from mmbnft.zoo.sources import Source


def verify(source: Source, *, allow_partial: bool = False, pooling: str = "") -> Certificate:
    """The certificate of a file, with the fingerprint of the network that it holds.

    Args:
        source: The file, with what a person states about it.
        allow_partial: Certify an incomplete file too, without a fingerprint.
        pooling: How the network's tokens become the features of the fingerprint; empty for its own way.

    Raises:
        UserError: The file is not one backbone in a known format, or its network has no tokens to pool.
    """
    return _certified(source, allow_partial, pooling).certificate


def convert(source: Source, target: Path, *, allow_partial: bool = False) -> Certificate:
    """Write a checkpoint as MMSelfSup's configurations load it: `{"state_dict", "meta"}`, torchvision's names, float32.

    The certificate of the conversion, and the input normalisation if it is known, travel in `meta`.

    Args:
        source: The file, with what a person states about it.
        target: Where to write.
        allow_partial: Convert an incomplete file too.

    Raises:
        UserError: As for `verify`, or `target` exists.
    """
    if target.exists():
        raise UserError(f"{target} exists; delete it or name another file")
    read = _certified(source, allow_partial)
    write_with(target, lambda stream: torch.save(_content(read.state_dict, read.certificate), stream))
    return read.certificate


def _content(state: dict[str, Tensor], certificate: Certificate) -> dict[str, object]:
    meta = {"architecture": certificate.architecture, "certificate": certificate.to_dict()}
    if certificate.normalisation is not None:
        meta["normalisation"] = certificate.normalisation
    return {"meta": meta, "state_dict": state}


def _certified(source: Source, allow_partial: bool, pooling: str = "") -> Backbone:
    read = read_source(source, None, allow_partial=allow_partial)
    if read.certificate.partial:
        return read
    known = network_from_config(read.certificate.architecture)
    assert isinstance(known, Architecture | LibraryNetwork)  # of any other the layout is not known here
    if pooling and not isinstance(known, LibraryNetwork):
        raise UserError(f"{source.path.name} holds a {known}, which has no tokens to pool; leave --pooling out")
    if pooling and isinstance(known, LibraryNetwork):
        known = dataclasses.replace(known, pooling=pooling)
    network = ResNet(known) if isinstance(known, Architecture) else build_library_network(known)
    network.load_state_dict(read.state_dict)
    pad_stem(network, read.certificate)
    certificate = dataclasses.replace(read.certificate, architecture=known.to_dict(), fingerprint=fingerprint(network))
    return Backbone(read.state_dict, certificate)
