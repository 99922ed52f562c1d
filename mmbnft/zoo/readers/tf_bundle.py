"""Read a TensorFlow checkpoint (tensor bundle) without TensorFlow.

The `.index` file is a LevelDB table: prefix-compressed keys in checksummed blocks, found through an index block that
the footer points to. Its values are BundleEntryProto messages (tensorflow/core/protobuf/tensor_bundle.proto), which say
where in the `.data-*` files each tensor's raw bytes lie. Every block and every tensor is held against its CRC-32C.
"""

import re
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmbnft.utils.errors import UserError
from mmbnft.zoo.readers.crc32c import crc32c, masked
from mmbnft.zoo.readers.snappy import decompress
from mmbnft.zoo.readers.wire import fields, varint

_MAGIC = 0xDB4775248B80FB57
_FOOTER = 48
_TRAILER = 5  # compression type, checksum
_INDEX_NAME = re.compile(r"(?:.*/)?model\.ckpt-\d+\.index")
# tensorflow/core/framework/types.proto
_DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 19: "<f2"}


@dataclass(frozen=True)
class _Entry:
    """Where one tensor lies."""

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    checksum: int
    sliced: bool


def bundle_files(path: Path) -> list[Path]:
    """The index file and the data files of a checkpoint on disk, in order.

    Raises:
        UserError: A folder does not hold exactly one checkpoint, or data files are missing.
    """
    if path.is_dir():
        indices = sorted(path.glob("*.index"))
        if len(indices) != 1:
            raise UserError(f"{path} holds {len(indices)} .index files, not one; name the .index file itself")
        path = indices[0]
    shards = sorted(path.parent.glob(f"{path.stem}.data-?????-of-?????"))
    if not path.exists() or not shards:
        raise UserError(f"{path.name} needs its .data-* files beside it; fetch them too")
    return [path, *shards]


def read_bundle(path: Path) -> dict[str, Tensor]:
    """All tensors of a checkpoint by variable name.

    Args:
        path: The .index file, its folder, or a zip that holds one `model.ckpt-N` checkpoint.

    Raises:
        UserError: The checkpoint is damaged, incomplete or holds types that no checkpoint of a network needs.
    """
    try:
        if path.is_dir() or path.suffix == ".index":
            index, *shards = bundle_files(path)
            return _tensors(index.read_bytes(), len(shards), lambda i: shards[i].read_bytes())
        with zipfile.ZipFile(path) as archive:
            names = sorted(member for member in archive.namelist() if _INDEX_NAME.fullmatch(member))
            if len(names) != 1:
                raise UserError(f"{path.name} holds {len(names)} model.ckpt-N checkpoints, not one; unpack it first")
            stem = names[0].removesuffix(".index") + ".data-"
            parts = sorted(member for member in archive.namelist() if member.startswith(stem))
            return _tensors(archive.read(names[0]), len(parts), lambda i: archive.read(parts[i]))
    except UserError:
        raise
    except (ValueError, IndexError, KeyError, struct.error, OSError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path.name} is a truncated or damaged TensorFlow checkpoint ({error}); download it again"
        ) from error


def _tensors(index: bytes, shards: int, read_shard: Callable[[int], bytes]) -> dict[str, Tensor]:
    items = dict(_table(index))
    header = dict(fields(items.pop(b"")))
    if header.get(1, 0) != shards or header.get(2, 0) != 0:
        raise ValueError(f"{shards} data files where the header declares another number, or big-endian")
    loaded = [read_shard(i) for i in range(shards)]
    return {key.decode(): _tensor(key.decode(), _entry(value), loaded) for key, value in items.items()}


def _tensor(name: str, entry: _Entry, shards: list[bytes]) -> Tensor:
    if entry.sliced or entry.dtype not in _DTYPES:
        raise ValueError(f"{name} is sliced or of type {entry.dtype}")
    data = memoryview(shards[entry.shard])[entry.offset : entry.offset + entry.size]
    dtype = np.dtype(_DTYPES[entry.dtype])
    if len(data) != entry.size or entry.size != dtype.itemsize * int(np.prod(entry.shape, dtype=np.int64)):
        raise ValueError(f"{name} lies beyond the data or has another size than its shape")
    if masked(crc32c(data)) != entry.checksum:
        raise ValueError(f"checksum of {name}")
    return torch.from_numpy(np.frombuffer(data, dtype).reshape(entry.shape).copy())


def _entry(message: bytes) -> _Entry:
    """Parse a BundleEntryProto."""
    found: dict[int, int | bytes] = {}
    sliced = False
    for number, value in fields(message):
        sliced |= number == 7
        found[number] = value
    shape = found.get(2, b"")
    numbers = [int(found.get(number, 0)) for number in (1, 3, 4, 5, 6)]
    dtype, shard, offset, size, checksum = numbers
    if not isinstance(shape, bytes):
        raise ValueError("shape of an entry")
    return _Entry(dtype, _shape(shape), shard, offset, size, checksum, sliced)


def _shape(message: bytes) -> tuple[int, ...]:
    """Sizes in a TensorShapeProto."""
    sizes = []
    for number, value in fields(message):
        if number == 2 and isinstance(value, bytes):
            sizes.append(int(dict(fields(value)).get(1, 0)))
    return tuple(sizes)


def _table(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(key, value) of a LevelDB table."""
    if len(data) < _FOOTER or struct.unpack("<Q", data[-8:])[0] != _MAGIC:
        raise ValueError("no table footer")
    footer = data[-_FOOTER:]
    _, at = varint(footer, 0)
    _, at = varint(footer, at)
    for _, handle in _block(data, footer[at:]):
        yield from _block(data, handle)


def _block(data: bytes, handle: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(key, value) of the block that `handle` (offset, size) points to."""
    offset, at = varint(handle, 0)
    size, _ = varint(handle, at)
    end = offset + size
    if end + _TRAILER > len(data):
        raise ValueError("block beyond the file")
    kind, checksum = struct.unpack("<BI", data[end : end + _TRAILER])
    if masked(crc32c(data[offset : end + 1])) != checksum:
        raise ValueError("checksum of a block")
    if kind not in (0, 1):
        raise ValueError(f"compression {kind}")
    content = decompress(data[offset:end]) if kind == 1 else data[offset:end]
    restarts = struct.unpack("<I", content[-4:])[0]
    limit = len(content) - 4 * (restarts + 1)
    key, at = b"", 0
    while at < limit:
        shared, at = varint(content, at)
        fresh, at = varint(content, at)
        length, at = varint(content, at)
        if shared > len(key) or at + fresh + length > limit:
            raise ValueError("entry beyond its block")
        key = key[:shared] + content[at : at + fresh]
        yield key, content[at + fresh : at + fresh + length]
        at += fresh + length
