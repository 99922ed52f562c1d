"""The one layout every published file is converted to: ResNet v1.5 in torchvision's names, written in torch alone."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn

from mmbnft.zoo.architecture import BLOCKS, RESNET, RESNET_CIFAR, Architecture

COUNTER = "num_batches_tracked"
_BLOCK_NAME = re.compile(r"layer([1-4])\.(\d+)\.")


@dataclass(frozen=True)
class TensorSpec:
    """Shape and dtype of one expected tensor."""

    shape: tuple[int, ...]
    dtype: torch.dtype


Layout = Mapping[str, TensorSpec]


class _Block(nn.Module):
    """Residual block, basic or bottleneck; the stride sits on the 3x3 convolution (v1.5)."""

    def __init__(self, entering: int, width: int, stride: int, bottleneck: bool) -> None:
        super().__init__()
        leaving = width * (4 if bottleneck else 1)
        widths = (entering, width, width, leaving) if bottleneck else (entering, width, width)
        kernels, strides = ((1, 3, 1), (1, stride, 1)) if bottleneck else ((3, 3), (stride, 1))
        self.count = len(kernels)
        for i, (kernel, step) in enumerate(zip(kernels, strides, strict=True)):
            conv = nn.Conv2d(widths[i], widths[i + 1], kernel, step, kernel // 2, bias=False)
            self.add_module(f"conv{i + 1}", conv)
            self.add_module(f"bn{i + 1}", nn.BatchNorm2d(widths[i + 1]))
        self.downsample: nn.Module | None = None
        if stride != 1 or entering != leaving:
            shortcut = nn.Conv2d(entering, leaving, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(leaving))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', H / stride, W / stride)."""
        identity = x if self.downsample is None else self.downsample(x)
        for i in range(1, self.count + 1):
            x = self.get_submodule(f"bn{i}")(self.get_submodule(f"conv{i}")(x))
            x = torch.relu(x + identity if i == self.count else x)
        return x


class ResNet(nn.Module):
    """A bare backbone with the names, shapes and values of torchvision's and the host's ResNet without classifier."""

    def __init__(self, architecture: Architecture | None = None) -> None:
        super().__init__()
        arch = architecture or Architecture()
        window = (3, 1, 1) if arch.small_stem else (7, 2, 3)
        self.conv1 = nn.Conv2d(3, arch.stem_channels, *window, bias=False)
        self.bn1 = nn.BatchNorm2d(arch.stem_channels)
        self.maxpool = nn.Identity() if arch.small_stem else nn.MaxPool2d(3, 2, 1)
        channels = arch.stem_channels
        for level, count in enumerate(BLOCKS[arch.depth]):
            width = arch.base_channels * 2**level
            blocks = []
            for index in range(count):
                stride = 2 if level > 0 and index == 0 else 1
                blocks.append(_Block(channels, width, stride, arch.bottleneck))
                channels = width * (4 if arch.bottleneck else 1)
            self.add_module(f"layer{level + 1}", nn.Sequential(*blocks))

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, 3, H, W) to the last feature map (N, C, H / 32, W / 32), or H / 8 with the small stem."""
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        for level in range(1, 5):
            x = self.get_submodule(f"layer{level}")(x)
        return x


def layout_of(network: nn.Module) -> dict[str, TensorSpec]:
    """What a complete file must hold for `network`."""
    return {name: TensorSpec(tuple(value.shape), value.dtype) for name, value in network.state_dict().items()}


@lru_cache(maxsize=64)
def _layout(architecture: Architecture) -> dict[str, TensorSpec]:
    with torch.device("meta"):
        return layout_of(ResNet(architecture))


def architecture_layout(architecture: Architecture) -> dict[str, TensorSpec]:
    """Names, shapes and dtypes of the tensors of a ResNet of either kind."""
    return dict(_layout(architecture))


def resnet_layout(depth: int = 50, base_channels: int = 64, stem_channels: int = 64) -> dict[str, TensorSpec]:
    """Names, shapes and dtypes of a ResNet's tensors; 318 for depth 50.

    Args:
        depth: 18, 34, 50, 101, 152 or 200.
        base_channels: Width of the first stage.
        stem_channels: Output channels of the first convolution.
    """
    return architecture_layout(Architecture(RESNET, depth, base_channels, stem_channels))


def infer_architecture(tensors: Mapping[str, Tensor]) -> Architecture:
    """The ResNet whose layout is nearest to `tensors`: depth by names, widths by the first shapes.

    The answer is a hypothesis to check the tensors against, never a proof.
    """
    stem = _output_channels(tensors, "conv1.weight")
    base = _output_channels(tensors, "layer1.0.conv1.weight")
    blocks = {match.groups() for name in tensors if (match := _BLOCK_NAME.match(name))}
    counts = [sum(int(layer) == level for layer, _ in blocks) for level in range(1, 5)]
    deep = any(name.endswith(".conv3.weight") for name in tensors)

    def distance(depth: int) -> int:
        wrong_kind = bool(blocks) and deep != (depth >= 50)
        return 1000 * wrong_kind + sum(abs(a - b) for a, b in zip(counts, BLOCKS[depth], strict=True))

    # Without a single known name every depth is equally wrong; 50 is what is published.
    depth = min((50, 18, 34, 101, 152, 200), key=distance) if blocks else 50
    first = tensors.get("conv1.weight")
    small = first is not None and first.dim() == 4 and tuple(first.shape[2:]) == (3, 3)
    return Architecture(RESNET_CIFAR if small else RESNET, depth, base, stem)


def _output_channels(tensors: Mapping[str, Tensor], name: str) -> int:
    value = tensors.get(name)
    plausible = value is not None and value.dim() == 4 and 0 < value.shape[0] <= 4096
    return int(value.shape[0]) if plausible and value is not None else 64
