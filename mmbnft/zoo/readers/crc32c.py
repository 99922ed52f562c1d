"""CRC-32C (Castagnoli) of large buffers in NumPy: many lanes at once, combined by the checksum's linearity."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_POLYNOMIAL = 0x82F63B78
_LANES = 8192
_MASK_DELTA = 0xA282EAD8
_Words = NDArray[np.uint32]


@lru_cache(maxsize=1)
def _table() -> _Words:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(_POLYNOMIAL), table >> 1).astype(np.uint32)
    return table


def _advance(state: _Words, data: NDArray[np.uint8]) -> _Words:
    """Feed the columns of `data` (lanes, bytes) into as many registers."""
    table = _table()
    for column in np.ascontiguousarray(data.T):
        state = table[(state ^ column) & 0xFF] ^ (state >> 8)
    return state


def _apply(operator: _Words, state: _Words) -> _Words:
    """A 32x32 matrix over GF(2), one word for each input bit, applied to registers."""
    result = np.zeros_like(state)
    for bit in range(32):
        result ^= np.where((state >> np.uint32(bit)) & 1, operator[bit], np.uint32(0)).astype(np.uint32)
    return result


def _zeros_operator(length: int) -> _Words:
    """The operator of `length` zero bytes, by repeated squaring."""
    identity = np.uint32(1) << np.arange(32, dtype=np.uint32)
    power = _advance(identity.copy(), np.zeros((32, 1), np.uint8))
    result = identity
    while length:
        if length & 1:
            result = _apply(power, result)
        power = _apply(power, power)
        length >>= 1
    return result


def crc32c(data: bytes | memoryview) -> int:
    """Checksum of `data`."""
    buffer = np.frombuffer(data, dtype=np.uint8)
    state = np.array([0xFFFFFFFF], dtype=np.uint32)
    width = buffer.size // _LANES
    bulk = width * _LANES
    if width:
        lanes = _advance(np.zeros(_LANES, dtype=np.uint32), buffer[:bulk].reshape(_LANES, width))
        operator = _zeros_operator(width)
        while lanes.size > 1:
            lanes = _apply(operator, lanes[0::2]) ^ lanes[1::2]
            operator = _apply(operator, operator)
        state = _apply(_zeros_operator(bulk), state) ^ lanes
    state = _advance(state, buffer[bulk:].reshape(1, -1))
    return int(state[0]) ^ 0xFFFFFFFF


def masked(checksum: int) -> int:
    """The rotated form in which checksums are stored in TensorFlow and LevelDB files."""
    return (((checksum >> 15) | (checksum << 17)) + _MASK_DELTA) & 0xFFFFFFFF
