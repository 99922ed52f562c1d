"""Decompress raw Snappy blocks, which a TensorFlow index may consist of."""

from mmbnft.zoo.readers.wire import varint


def decompress(data: bytes) -> bytes:
    """The content of a raw Snappy block.

    Raises:
        ValueError: The block is damaged.
    """
    size, at = varint(data, 0)
    result = bytearray()
    while at < len(data):
        tag = data[at]
        at += 1
        if tag & 3 == 0:
            length = tag >> 2
            if length >= 60:
                extra = length - 59
                length = int.from_bytes(data[at : at + extra], "little")
                at += extra
            result += data[at : at + length + 1]
            at += length + 1
        else:
            at = _copy(data, at, tag, result)
        if len(result) > size:
            raise ValueError("block longer than declared")
    if len(result) != size:
        raise ValueError("block shorter than declared")
    return bytes(result)


def _copy(data: bytes, at: int, tag: int, result: bytearray) -> int:
    """Repeat earlier output as the copy `tag` says; returns the place after it."""
    kind = tag & 3
    if kind == 1:
        length, offset = ((tag >> 2) & 7) + 4, (tag >> 5) << 8 | data[at]
        at += 1
    else:
        width = 2 if kind == 2 else 4
        length, offset = (tag >> 2) + 1, int.from_bytes(data[at : at + width], "little")
        at += width
    if not 0 < offset <= len(result):
        raise ValueError("copy from before the block")
    for _ in range(length):  # a copy may overlap what it writes
        result.append(result[-offset])
    return at
