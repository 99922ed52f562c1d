"""Open a file written by torch.save with tensors and plain values only; what else a download may be is recognised."""

import pickle
import re
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from mmbnft.utils.errors import UserError
from mmbnft.zoo.readers.inert import may_stand_in, stand_in
from mmbnft.zoo.readers.safetensors import looks_like_safetensors

_ZIP = b"PK\x03\x04"
# The first object of a non-zip file is torch's magic number 0x1950a86a20f9469cfc6c.
_LEGACY = re.compile(rb"\x80.\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", re.DOTALL)
_WEB = re.compile(rb"\s*(<!doctype|<html|<head|<\?xml)", re.IGNORECASE)
_FOREIGN = re.compile(r"(?:[Uu]nsupported|unrecognized) (?:global|GLOBAL|function)[:,]? (?:GLOBAL )?([\w.]+)")
_MOST_NAMES = 200  # foreign names in one file
# Stored tensors are not compressed: a file that declares far more than it holds is no checkpoint.
_INFLATION = 2


def looks_like_web_page(head: bytes) -> bool:
    """Whether `head`, the first bytes of a file, begin a web page."""
    return _WEB.match(head) is not None


def container_kind(path: Path) -> str:
    """`torch`, `safetensors`, `pickle` or `bundle`, by the file's content rather than its name.

    Raises:
        UserError: There is no file, or it is empty, a web page, an old tar container or nothing known.
    """
    if path.is_dir() or path.suffix == ".index":
        return "bundle"
    head = _head(path)
    if not head:
        raise UserError(f"{path.name} is empty; download it again")
    if looks_like_web_page(head):
        raise UserError(f"{path.name} is a web page, not weights; download the file itself")
    if head[257:262] == b"ustar":
        raise UserError(
            f"{path.name} is a tar container of torch before 0.1.10, which is not read; re-save it with a newer torch"
        )
    if head.startswith(_ZIP):
        return "bundle" if _holds_bundle(path) else "torch"
    if _LEGACY.match(head):
        return "torch"
    if head[0] == 0x80 and head[1:2] <= b"\x05":
        return "pickle"
    if looks_like_safetensors(head):
        return "safetensors"
    raise UserError(
        f"{path.name} is not a torch file, safetensors file, BYOL pickle or TensorFlow checkpoint; name a weight "
        "file, or download it again"
    )


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(512)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; check the path, or fetch the file first") from error


def _holds_bundle(path: Path) -> bool:
    """Whether a zip holds a TensorFlow checkpoint; also refuses a zip that is cut or inflates."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except zipfile.BadZipFile as error:
        raise UserError(f"{path.name} is a truncated or damaged zip file; download it again") from error
    if sum(member.file_size for member in members) > _INFLATION * path.stat().st_size + (1 << 20):
        raise UserError(f"{path.name} declares far more content than it holds; do not trust this file")
    return any(member.filename.endswith(".index") for member in members)


def open_torch_file(path: Path) -> Any:
    """The file's content, on the CPU, with an `Inert` stand-in for every class and function that is not torch's.

    Foreign names (an optimizer's function, a message hub, a namespace of arguments) are neither imported nor called.

    Raises:
        UserError: The file is damaged, a TorchScript archive, or refers to what could only run something.
    """
    stand_ins: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = []
    known: set[str] = set()
    while True:
        try:
            with torch.serialization.safe_globals(stand_ins):
                return _load(path)
        except pickle.UnpicklingError as error:
            found = _FOREIGN.search(str(error))
            name = found[1] if found else ""
            if not name or name in known or len(known) >= _MOST_NAMES or not may_stand_in(name):
                raise _foreign(path, name) from error
            stand_ins.append((stand_in(name), name))
            known.add(name)
        except Exception as error:  # a damaged file can fail in any way; weights_only has run nothing from it
            if "TorchScript" in str(error):
                raise UserError(
                    f"{path.name} is a TorchScript archive, a program rather than weights; save the state_dict of the "
                    "network it was made from instead"
                ) from error
            raise _damaged(path, error) from error


def _load(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))


def _foreign(path: Path, name: str) -> UserError:
    what = f"refers to {name}, which no checkpoint needs" if name else "holds more than tensors and plain values"
    return UserError(
        f"{path.name} {what}, or is damaged; nothing in it was executed; download it from its authors, or save the "
        "network's state_dict alone"
    )


def _damaged(path: Path, error: Exception) -> UserError:
    return UserError(f"{path.name} is truncated or damaged ({type(error).__name__}); download it again")
