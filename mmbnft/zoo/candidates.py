"""Which networks of timm and torchvision the names and shapes of a file's tensors fit."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from mmbnft.utils.errors import UserError
from mmbnft.zoo.architecture import LibraryNetwork
from mmbnft.zoo.branches import Branch, anchored
from mmbnft.zoo.library import computation, input_size, library_layout, library_names

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class _Family:
    """Networks of a library that share their tensors' names.

    Attributes:
        library: `timm` or `torchvision`.
        anchor: Name of a tensor that only files of the family have.
        names: Pattern of the networks' names.
    """

    library: str
    anchor: str
    names: str


_VIT = _Family("timm", "patch_embed.proj.weight", r"(vit|deit3?)_(tiny|small|base|large)_patch\d+_\w+")
_CONVNEXT = _Family("timm", "stem.0.weight", r"convnext(v2)?_(atto|femto|pico|nano|tiny|small|base|large)(_ols)?")
_FAMILIES = (
    _VIT,
    _Family("timm", "conv_stem.weight", r"(tf_)?efficientnet_(b[0-4]|lite[0-4])|(tf_)?mobilenetv[23]\w*_100"),
    _Family("timm", "_conv_stem.weight", r"tf_efficientnet_(b[0-4]|lite[0-4])"),  # EfficientNet-PyTorch pads as TF
    _CONVNEXT,
    _Family("timm", "features.conv0.weight", r"densenet\d+"),
    _Family("torchvision", "features.0.0.weight", r"efficientnet_(b[0-4]|v2_s)|convnext_\w+|mobilenet_v[23]\w*"),
    _Family("torchvision", "encoder.pos_embedding", r"vit_[bl]_\d+"),
)
_SIZES = {192: "tiny", 384: "small", 768: "base", 1024: "large"}
_CONVNEXT_SIZES = {40: "atto", 48: "femto", 64: "pico", 80: "nano", 96: "tiny|small", 128: "base", 192: "large"}
_MOST_PREFIX_TOKENS = 8


def candidates(content: Any) -> Iterator[LibraryNetwork]:
    """Networks that a file may hold, by one tensor's name and a look at shapes; each has to be tried.

    Args:
        content: What the file holds.
    """
    for family in _FAMILIES:
        if found := anchored(content, family.anchor):
            shapes = _shapes(found[0])
            for name in library_names(family.library):
                if re.fullmatch(family.names, name) and _may_be(name, family, shapes):
                    yield LibraryNetwork(family.library, name)


def share(network: LibraryNetwork, content: Any) -> float:
    """Which part of a network's tensors a file has in their shapes, under whatever prefix; 1 if named otherwise.

    Args:
        network: The network.
        content: What the file holds.
    """
    try:
        layout = library_layout(network)
    except UserError:  # another version of the library
        return 0.0
    anchor = next((family.anchor for family in _FAMILIES if family.anchor in layout), "")
    found = [_shapes(branch) for branch in anchored(content, anchor)] if anchor else []
    wanted = {name: spec.shape for name, spec in layout.items()}.items()
    return max((len(wanted & shapes.items()) / len(wanted) for shapes in found), default=1.0)


def distinct(found: list[LibraryNetwork]) -> list[LibraryNetwork]:
    """One network of each set that computes the same, such as DeiT and the ViT of its size; the first of each stays."""
    different: dict[str, LibraryNetwork] = {}
    for network in sorted(found, key=lambda one: (not one.name.startswith("vit"), one.name)):
        different.setdefault(computation(network) if len(found) > 1 else "", network)
    return list(different.values())


def _shapes(branch: Branch) -> Shapes:
    """Shapes by the names that a backbone's tensors have without their prefix."""
    return {
        key.removeprefix(branch.prefix): tuple(value.shape)
        for key, value in branch.tensors.items()
        if isinstance(key, str) and isinstance(value, Tensor) and key.startswith(branch.prefix)
    }


def _may_be(name: str, family: _Family, shapes: Shapes) -> bool:
    """Whether a look at the file allows a name; building a network to see takes up to half a second."""
    if "stem" in family.anchor and "efficientnet" in family.names:
        gated = any("_se_reduce" in key or ".se." in key for key in shapes)
        return gated != ("lite" in name or "mobilenetv2" in name)
    if family is _CONVNEXT:
        of_width = _CONVNEXT_SIZES.get(shapes[_CONVNEXT.anchor][0], "none")
        return bool(re.search(f"_({of_width})(_|$)", name)) and ("v2" in name) == any(".grn." in key for key in shapes)
    return family is not _VIT or _may_be_transformer(name, shapes)


def _may_be_transformer(name: str, shapes: Shapes) -> bool:
    """Whether width, patch and positions of a vision transformer allow a name."""
    width, _, *patch = shapes[_VIT.anchor] if len(shapes[_VIT.anchor]) == 4 else (0, 0, 0)
    if f"_{_SIZES.get(width)}_patch{patch[0]}_" not in name:
        return False
    if "pos_embed" not in shapes:
        return "rope" in name or "dinov3" in name
    tokens, side = shapes["pos_embed"][1], input_size(name) // patch[0]
    return "dinov3" not in name and 0 <= tokens - side * side <= _MOST_PREFIX_TOKENS
