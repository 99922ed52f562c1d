"""SimCLR's names: TensorFlow variables numbered in creation order, and the public v2 converter's `net.` names."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor

from mmbnft.zoo.architecture import BLOCKS
from mmbnft.zoo.rules import Sorted

_VARIABLE = re.compile(r"base_model/(conv2d|batch_normalization)(?:_([1-9]\d*))?/(\w+)")
_NORM_NAMES = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
_HEADS = ("head_contrastive/", "head_supervised/")
_COUNTS = {1 + 4 + 3 * sum(BLOCKS[depth]): depth for depth in (50, 101, 152)}


def creation_order(depth: int) -> Iterator[tuple[str, str]]:
    """(convolution, normalisation) of a bottleneck ResNet in the order SimCLR's graph creates them.

    A block's shortcut comes before its own convolutions.
    """
    yield "conv1", "bn1"
    for level, count in enumerate(BLOCKS[depth], start=1):
        for block in range(count):
            stem = f"layer{level}.{block}."
            if block == 0:
                yield stem + "downsample.0", stem + "downsample.1"
            for i in (1, 2, 3):
                yield f"{stem}conv{i}", f"{stem}bn{i}"


@dataclass(frozen=True)
class VariableRules:
    """`base_model/conv2d_{i}/kernel` (HWIO) and `base_model/batch_normalization_{i}/...`, i in creation order."""

    prefix: str = "base_model/"

    def sort(self, tensors: Mapping[str, Tensor]) -> Sorted:
        """Sort the variables of a checkpoint, by name."""
        result = Sorted()
        kernels = {key for key in tensors if (match := _VARIABLE.fullmatch(key)) and match[3] == "kernel"}
        # Another number of convolutions (selective kernels, deep stem) is left to fail against depth 50.
        order = list(creation_order(_COUNTS.get(len(kernels), 50)))
        for key, value in tensors.items():
            if key.endswith("/Momentum"):
                result.dropped["*/Momentum"] += 1
            elif key == "global_step":
                result.dropped[key] += 1
            elif head := next((head for head in _HEADS if key.startswith(head)), None):
                result.dropped[head] += 1
            else:
                self._keep(result, key, value, order)
        return result

    def _keep(self, result: Sorted, key: str, value: Tensor, order: list[tuple[str, str]]) -> None:
        match = _VARIABLE.fullmatch(key)
        index = int(match[2] or 0) if match else 0
        if match is None or index >= len(order):
            result.unexpected.append(key)
        elif match[1] == "conv2d" and match[3] == "kernel" and value.dim() == 4:
            result.keep(key, order[index][0] + ".weight", value.permute(3, 2, 0, 1))
        elif match[1] == "batch_normalization" and match[3] in _NORM_NAMES:
            result.keep(key, f"{order[index][1]}.{_NORM_NAMES[match[3]]}", value)
        else:
            result.unexpected.append(key)


_STEM = {"0.0": "conv1", "0.1.0": "bn1"}
_BODY = re.compile(r"([1-4])\.blocks\.(\d+)\.(.+)")
_BLOCK = {
    "net.0": "conv1",
    "net.1.0": "bn1",
    "net.2": "conv2",
    "net.3.0": "bn2",
    "net.4": "conv3",
    "net.5.0": "bn3",
    "projection.shortcut": "downsample.0",
    "projection.bn.0": "downsample.1",
}


@dataclass(frozen=True)
class ConvertedRules:
    """`net.0.0.weight`, `net.{L}.blocks.{b}.net.{k}.weight` ...; `fc.` is dropped."""

    prefix: str = "net."

    def sort(self, tensors: Mapping[str, Tensor]) -> Sorted:
        """Sort the tensors of `resnet`, by key."""
        result = Sorted()
        for key, value in tensors.items():
            if key in ("fc.weight", "fc.bias"):
                result.dropped["fc."] += 1
            elif name := self._name(key):
                result.keep(key, name, value)
            else:
                result.unexpected.append(key)
        return result

    def _name(self, key: str) -> str | None:
        module, _, leaf = key.removeprefix(self.prefix).rpartition(".")
        if not key.startswith(self.prefix):
            return None
        if module in _STEM:
            return f"{_STEM[module]}.{leaf}"
        match = _BODY.fullmatch(module)
        if match is None or match[3] not in _BLOCK:
            return None
        return f"layer{match[1]}.{match[2]}.{_BLOCK[match[3]]}.{leaf}"
