"""Names of EfficientNet-PyTorch (lukemelas; its Lite networks by ML Illustrated) to timm's, block by block."""

import re
from collections.abc import Mapping

from torch import Tensor

from mmbnft.zoo.rules import Sorted

_BLOCK = re.compile(r"_blocks\.(\d+)\.(.+)")
_ENDS = {"_conv_stem.": "conv_stem.", "_bn0.": "bn1.", "_conv_head.": "conv_head.", "_bn1.": "bn2."}
_PARTS = {
    "_expand_conv.": "conv_pw.", "_bn0.": "bn1.", "_depthwise_conv.": "conv_dw.", "_bn1.": "bn2.",
    "_se_reduce.": "se.conv_reduce.", "_se_expand.": "se.conv_expand.", "_project_conv.": "conv_pwl.", "_bn2.": "bn3.",
}  # fmt: skip
# A first block, which expands nothing, has one convolution and one norm less.
_PARTS_FIRST = _PARTS | {"_bn1.": "bn1.", "_project_conv.": "conv_pw.", "_bn2.": "bn2."}


class EfficientNetRules:
    """Blocks are numbered through in the file and by stages in timm: a stage begins where the width changes."""

    prefix = ""

    def sort(self, tensors: Mapping[str, Tensor]) -> Sorted:
        """Sort the tensors of a file, by key."""
        result = Sorted()
        places = _places(tensors)
        for key, value in tensors.items():
            if key.startswith("_fc."):
                result.dropped["_fc."] += 1
            elif name := _renamed(key, places, tensors):
                result.keep(key, name, value)
            else:
                result.unexpected.append(key)
        return result


def _places(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """`STAGE.BLOCK` of every numbered block."""
    numbers = sorted({int(found[1]) for key in tensors if (found := _BLOCK.match(key))})
    places, stage, block, width = {}, -1, 0, -1
    for number in numbers:
        projection = tensors.get(f"_blocks.{number}._project_conv.weight")
        leaving = projection.shape[0] if projection is not None and projection.dim() else width
        stage, block = (stage, block + 1) if leaving == width else (stage + 1, 0)
        places[str(number)], width = f"{stage}.{block}", leaving
    return places


def _renamed(key: str, places: Mapping[str, str], tensors: Mapping[str, Tensor]) -> str:
    found = _BLOCK.match(key)
    if found is None:
        return next((new + key.removeprefix(old) for old, new in _ENDS.items() if key.startswith(old)), "")
    parts = _PARTS if f"_blocks.{found[1]}._expand_conv.weight" in tensors else _PARTS_FIRST
    tail = next((new + found[2].removeprefix(old) for old, new in parts.items() if found[2].startswith(old)), "")
    return f"blocks.{places[found[1]]}.{tail}" if tail else ""
