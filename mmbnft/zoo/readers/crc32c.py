"""CRC-32C (Castagnoli) of large buffers in NumPy: many lanes at once, combined by the checksum's linearity."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_POLYNOMIAL = 0x82F63B78
_LANES = 8192
_WORTHWHILE = 8  # bytes per lane below which one register is faster
_MASK_DELTA = 0xA282EAD8
_Words = NDArray[np.uint32]


@lru_cache(maxsize=1)
def _table() -> _Words:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(_POLYNOMIAL), table >> 1).astype(np.uint32)
    return table


@lru_cache(maxsize=1)
def _numbers() -> tuple[int, ...]:
    return tuple(int(word) for word in _table())


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


@lru_cache(maxsize=256)
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
    width = buffer.size // _LANES
    state, bulk = 0xFFFFFFFF, 0
    if width >= _WORTHWHILE:
        bulk = width * _LANES
        lanes = _advance(np.zeros(_LANES, dtype=np.uint32), buffer[:bulk].reshape(_LANES, width))
        start = _apply(_zeros_operator(bulk), np.array([state], dtype=np.uint32))
        operators = _zeros_operator(width)
        while lanes.size > 1:
            lanes = _apply(operators, lanes[0::2]) ^ lanes[1::2]
            operators = _apply(operators, operators)
        state = int((start ^ lanes)[0])
    table = _numbers()
    for byte in buffer[bulk:].tobytes():
        state = table[(state ^ byte) & 0xFF] ^ (state >> 8)
    return state ^ 0xFFFFFFFF


def masked(checksum: int) -> int:
    """The rotated form in which checksums are stored in TensorFlow and LevelDB files."""
    return (((checksum >> 15) | (checksum << 17)) + _MASK_DELTA) & 0xFFFFFFFF
