"""What determines the tensors of a network, without torch: the catalogue starts at once."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from mmbnft.utils.errors import UserError

BLOCKS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
}
RESNET = "ResNet"
# The stem of SimCLR's and others' CIFAR networks: a 3x3 convolution of stride 1, no pooling.
RESNET_CIFAR = "mmcls.ResNet_CIFAR"


@dataclass(frozen=True)
class Architecture:
    """What determines the tensors of a ResNet.

    Attributes:
        type: Class name in the host's registry: `ResNet`, or `mmcls.ResNet_CIFAR` for a 3x3 stem of stride 1 without
            pooling.
        depth: 18, 34, 50, 101, 152 or 200.
        base_channels: Width of the first layer's 3x3 convolutions (64 is "1x").
        stem_channels: Output channels of the first convolution.
    """

    type: str = "ResNet"
    depth: int = 50
    base_channels: int = 64
    stem_channels: int = 64

    def __str__(self) -> str:
        width = f"base_channels={self.base_channels}, stem_channels={self.stem_channels}"
        return f"{self.type}-{self.depth} ({width})" if self.is_resnet else self.type

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Architecture":
        """What a configuration of the host's backbone says of it; settings that change no tensor are passed over.

        Raises:
            KeyError: The configuration lacks one of the attributes.
        """
        return cls(**{entry.name: config[entry.name] for entry in fields(cls)})

    def to_dict(self) -> dict[str, Any]:
        """Keyword arguments of the host's backbone, including its `type`."""
        return asdict(self)

    @property
    def is_resnet(self) -> bool:
        """Whether it is one of the two kinds of ResNet whose tensors are known here."""
        return self.type in (RESNET, RESNET_CIFAR)

    @property
    def small_stem(self) -> bool:
        """Whether the stem is CIFAR's."""
        return self.type == RESNET_CIFAR

    @property
    def bottleneck(self) -> bool:
        """Whether blocks have three convolutions (depth 50 and up) rather than two."""
        return self.depth >= 50


POOLINGS = ("class", "mean", "both")
LIBRARIES = {"timm": "TIMMBackbone", "torchvision": "TorchvisionBackbone"}
HOST = "mmcls"
_PLAIN = re.compile(r"resnet(18|34|50|101|152|200)")


@dataclass(frozen=True)
class LibraryNetwork:
    """A network that timm or torchvision builds by its name, without classifier.

    Attributes:
        library: `timm` or `torchvision`.
        name: The library's name of it.
        pooling: How tokens become features: `class` (the class token), `mean` (mean of the patches), `both` (one behind
            the other); empty for the network's own way.
    """

    library: str
    name: str
    pooling: str = ""
    is_resnet = False

    def __str__(self) -> str:
        return f"{self.library}:{self.name}" + (f" (pooling {self.pooling})" if self.pooling else "")

    def to_dict(self) -> dict[str, Any]:
        """Keyword arguments of the backbone, including its `type`."""
        pooling = {"pooling": self.pooling} if self.pooling else {}
        return {"type": LIBRARIES[self.library], "model_name": self.name, **pooling}


@dataclass(frozen=True)
class HostNetwork:
    """A network that the host stack builds; its tensors are known only when it is built.

    Attributes:
        config: Configuration of the host's backbone, as JSON.
    """

    config: str
    is_resnet = False

    def __str__(self) -> str:
        return str(self.to_dict()["type"])

    def to_dict(self) -> dict[str, Any]:
        """Keyword arguments of the backbone, including its `type`."""
        content: dict[str, Any] = json.loads(self.config)
        return content


AnyNetwork = Architecture | LibraryNetwork | HostNetwork


def network_of_record(content: Mapping[str, Any]) -> AnyNetwork:
    """The network whose attributes a result holds."""
    kinds = (Architecture, LibraryNetwork, HostNetwork)
    return next(kind(**content) for kind in kinds if {entry.name for entry in fields(kind)} == set(content))


def network_from_config(config: Mapping[str, Any]) -> AnyNetwork:
    """The network that a backbone's configuration describes.

    Args:
        config: `type` and the keyword arguments of the backbone.

    Raises:
        UserError: It has no type.
    """
    kind = config.get("type")
    if kind in (RESNET, RESNET_CIFAR):
        usual = {name: value for name, value in Architecture().to_dict().items() if name != "type"}
        return Architecture.from_config({**usual, **config})
    if not isinstance(kind, str):
        raise UserError(f"a network needs a type, got {dict(config)!r}; write type=NAME and its arguments")
    for library, name in LIBRARIES.items():
        if kind == name and set(config) <= {"type", "model_name", "pooling"}:
            return LibraryNetwork(library, str(config.get("model_name", "")), str(config.get("pooling", "")))
    return HostNetwork(json.dumps(dict(config), sort_keys=True))


def network_from_text(text: str) -> AnyNetwork:
    """The network that a person names.

    Args:
        text: `timm:NAME`, `torchvision:NAME`, `mmcls:TYPE` of the host stack, or `resnet18` to `resnet200`.

    Raises:
        UserError: It is none of these.
    """
    if plain := _PLAIN.fullmatch(text.lower()):
        return Architecture(depth=int(plain[1]))
    library, colon, name = text.partition(":")
    if colon and name and library in LIBRARIES:
        return LibraryNetwork(library, name)
    if colon and name and library == HOST:
        return HostNetwork(json.dumps({"type": f"{HOST}.{name}"}))
    raise UserError(
        f"no network is called {text!r}; write timm:NAME, torchvision:NAME, mmcls:TYPE, or resnet18 to resnet200"
    )
