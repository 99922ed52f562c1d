"""The small checkpoint files: half-precision weights under torchvision's names, with plain metadata."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mmbnft.host import build_backbone
from mmbnft.utils import files
from mmbnft.utils.errors import UserError

SIZE_LIMIT = 1_500_000  # bytes


def half_precision(state_dict: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Cast float tensors to float16 and counters to int64.

    Raises:
        UserError: A value is not finite, before or after the cast.
    """
    stored = {
        name: tensor.to(torch.float16 if tensor.is_floating_point() else torch.int64).contiguous()
        for name, tensor in state_dict.items()
    }
    broken = [name for name, tensor in stored.items() if not bool(torch.isfinite(tensor).all())]
    if broken:
        raise UserError(
            f"{broken[0]} and {len(broken) - 1} other tensors hold values that are not finite in float16; "
            "lower optimizer.lr in the configuration and pre-train again"
        )
    return stored


def write_checkpoint(path: Path, meta: Mapping[str, Any], state_dict: Mapping[str, torch.Tensor]) -> str:
    """Write a checkpoint, read it back and compare.

    Args:
        path: File to write.
        meta: Plain types only.
        state_dict: Weights of the backbone.

    Returns:
        Hex SHA-256 of the file.

    Raises:
        UserError: A value is not finite, the file is too large, or it does not read back as it was written.
    """
    stored = half_precision(state_dict)
    files.write_with(path, lambda stream: torch.save({"meta": dict(meta), "state_dict": stored}, stream))
    _, found = read_checkpoint(path)
    same = list(found) == list(stored) and all(
        found[name].dtype == tensor.dtype and torch.equal(found[name], tensor) for name, tensor in stored.items()
    )
    size = path.stat().st_size
    if not same or size >= SIZE_LIMIT:
        path.unlink()
        problem = f"has {size} bytes, {SIZE_LIMIT} are allowed" if same else "did not read back as it was written"
        raise UserError(f"{path} {problem}; it was removed")
    return files.sha256_file(path)


def read_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Read `meta` and `state_dict` of a small checkpoint.

    Raises:
        UserError: The file is missing, damaged or of another kind.
    """
    if not path.is_file():
        raise UserError(f"there is no checkpoint {path}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        return content["meta"], content["state_dict"]
    except Exception as error:  # torch raises half a dozen kinds for a damaged file
        raise UserError(
            f"{path} is not a checkpoint written by mmbnft pretrain ({type(error).__name__}); make it again"
        ) from error


def backbone_of(path: Path) -> tuple[dict[str, Any], nn.Module]:
    """Build the backbone of a small checkpoint and load its weights strictly, in float32.

    Raises:
        UserError: The file cannot be read or does not fit its own architecture.
    """
    meta, state_dict = read_checkpoint(path)
    backbone = build_backbone(dict(meta["architecture"]))
    try:
        backbone.load_state_dict(
            {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state_dict.items()},
            strict=True,
        )
    except RuntimeError as error:
        raise UserError(f"the weights in {path} do not fit its architecture ({error})") from error
    backbone.eval()  # the host's returns None
    return meta, backbone
