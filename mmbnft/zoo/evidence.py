"""What a file itself says about the input normalisation of its network, in each of the places where files say it."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from mmbnft.utils.errors import UserError
from mmbnft.zoo.entry import IMAGENET, Normalisation
from mmbnft.zoo.readers.safetensors import read_config

_TRIPLE = r"=\s*[\[(]\s*([\d.,\s]+?)[\])]"
_PAIR = re.compile(rf"\bmean{_TRIPLE}\s*,\s*std{_TRIPLE}")
_RGB = re.compile(r"\b(?:bgr_)?to_rgb\s*=\s*True")
_NOT_RGB = re.compile(r"\b(?:bgr_)?to_rgb\s*=\s*False")
_BUFFERS = ("data_preprocessor.mean", "data_preprocessor.std")


def normalisation_in(path: Path, content: Any, tensors: Mapping[str, Any]) -> Normalisation | None:
    """The normalisation that a file proves; None where it says nothing.

    It is looked for in `meta` (this project's files; the text of the host's configuration there), in the buffers of the
    host's data preprocessor, and in timm's `config.json` beside the file.

    Args:
        path: The file.
        content: What it holds.
        tensors: The state dict in it.

    Raises:
        UserError: There is one that cannot be read.
    """
    meta = content.get("meta") if isinstance(content, Mapping) else None
    meta = meta if isinstance(meta, Mapping) else {}
    said = meta.get("normalisation") or read_config(path).get("normalisation")
    if said is not None:
        try:
            return Normalisation.from_dict(said)
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"{path.name} has a normalisation that cannot be read ({error}); make the file again, or state it with "
                "--mean and --std"
            ) from error
    text = " ".join(str(meta.get(name, "")) for name in ("config", "cfg"))
    return _from_config(text) or _from_buffers(tensors, text)


def _from_config(text: str) -> Normalisation | None:
    """The one mean and deviation that a configuration of the host names, in RGB order."""
    if _NOT_RGB.search(text):
        return None
    pairs = {(mean, std) for mean, std in _PAIR.findall(text)}
    found = {_scaled(*(tuple(float(v) for v in part.split(",") if v.strip()) for part in pair)) for pair in pairs}
    return found.pop() if len(found) == 1 else None


def _from_buffers(tensors: Mapping[str, Any], text: str) -> Normalisation | None:
    values = [tensors.get(name) for name in _BUFFERS]
    if not all(isinstance(value, Tensor) and value.numel() == 3 for value in values):
        return None
    mean, std = (tuple(float(v) for v in value.flatten().tolist()) for value in values if value is not None)
    found = _scaled(mean, std)
    # The buffers alone do not tell the order of channels; ImageNet's own values do.
    return found if found is not None and (_RGB.search(text) or found == IMAGENET) else None


def _scaled(mean: tuple[float, ...], std: tuple[float, ...]) -> Normalisation | None:
    """In units of 0..1; the host's later versions count in 0..255."""
    scale = 255.0 if max((*mean, *std), default=0.0) > 2 else 1.0
    try:
        return Normalisation.from_dict({name: [round(v / scale, 6) for v in part] for name, part in
                                        (("mean", mean), ("std", std))})  # fmt: skip
    except ValueError:
        return None
