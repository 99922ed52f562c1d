"""Read a safetensors file, and what the `config.json` beside it says (timm's layout on the Hugging Face Hub)."""

import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from mmbnft.utils.errors import UserError
from mmbnft.utils.files import read_json

CONFIG = "config.json"
# timm's networks whose graph and names are torchvision's: a name outside may share the names and compute otherwise.
_PLAIN = re.compile(r"(?:tv_|gluon_|ssl_|swsl_)?(?:resnet|wide_resnet)\d+(?:_v1b|_2)?(?:\..+)?")


def looks_like_safetensors(head: bytes) -> bool:
    """Whether `head`, the first bytes of a file, are a header's length (little-endian, 8 bytes) and a JSON object."""
    return len(head) > 9 and head[8:9] == b"{" and 2 <= struct.unpack("<Q", head[:8])[0] <= 100_000_000


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a file by name, on the CPU.

    Raises:
        UserError: The file is truncated or damaged.
    """
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise UserError(
            f"{path.name} is a truncated or damaged safetensors file ({error}); download it again"
        ) from error


def read_config(path: Path) -> dict[str, Any]:
    """What timm's `config.json` beside a weight file says: `architecture`, and `normalisation` if it has one.

    Empty if there is no such file, or if it is not timm's.

    Raises:
        UserError: It is damaged, or its mean or deviation is not three numbers.
    """
    place = path.parent / CONFIG
    if not path.is_file() or not place.is_file():
        return {}
    content = read_json(place)
    pretrained = content.get("pretrained_cfg") if isinstance(content, dict) else None
    if not isinstance(pretrained, Mapping):
        return {}
    known: dict[str, Any] = {"architecture": str(content.get("architecture", ""))}
    if "mean" in pretrained and "std" in pretrained:
        known["normalisation"] = {"mean": pretrained["mean"], "std": pretrained["std"]}
    return known


def made_for_transformers(path: Path) -> bool:
    """Whether the `config.json` beside a file is that of the transformers library."""
    place = path.parent / CONFIG
    content = read_json(place) if path.is_file() and place.is_file() else None
    return isinstance(content, dict) and "model_type" in content and "pretrained_cfg" not in content


def is_plain_resnet(architecture: str) -> bool:
    """Whether timm's network of this name is a ResNet with torchvision's names and graph."""
    return _PLAIN.fullmatch(architecture) is not None
