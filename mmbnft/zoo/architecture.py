"""What determines the tensors of a network, without torch: the catalogue starts at once."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

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
