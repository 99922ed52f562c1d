"""The protocol-buffer wire format, as far as a TensorFlow index needs it."""

from collections.abc import Iterator


def varint(data: bytes, at: int) -> tuple[int, int]:
    """(value, next place) of the variable-length integer at `at`.

    Raises:
        ValueError: It does not end within ten bytes or within the data.
    """
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("integer without end")


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(field number, value) of a message; integers for varint and fixed fields, bytes for the others.

    Raises:
        ValueError: The message is damaged.
    """
    at = 0
    while at < len(message):
        tag, at = varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, at = varint(message, at)
            yield number, value
            continue
        if kind == 2:
            size, at = varint(message, at)
        else:
            size = {1: 8, 5: 4}.get(kind, -1)
        if size < 0 or at + size > len(message):
            raise ValueError("field beyond the message")
        content = message[at : at + size]
        yield number, content if kind == 2 else int.from_bytes(content, "little")
        at += size
