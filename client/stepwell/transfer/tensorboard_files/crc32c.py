"""The checksums of event files, many at once: CRC-32C, rotated ("masked"), so that it may stand in data that has one.

A CRC is linear in the bits of its data, and zeros in front change nothing when it begins with zero. So data of
different lengths become rows of a matrix, filled with zeros at the front; rows are cut into lanes, all lanes are worked
on at once, and neighbouring lanes are put together by tables that say what n zero bytes behind make of a CRC.
See https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/lib/hash/crc32c.h
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

# The polynomial of Castagnoli, its bits in reverse.
_POLYNOMIAL = 0x82F63B78
_MASK_DELTA = 0xA282EAD8
# Lanes that are worked on at once: enough that numpy's loops, and not Python's, do the work.
_LANES = 4_096

_ONES = np.uint32(0xFFFFFFFF)

Uint32s = NDArray[np.uint32]
Bytes = NDArray[np.uint8]


def _table(bits: int) -> Uint32s:
    """What a CRC's lowest bits become."""
    table: Uint32s = np.arange(1 << bits, dtype=np.uint32)
    for _ in range(bits):
        table = table >> np.uint32(1) ^ (table & np.uint32(1)) * np.uint32(_POLYNOMIAL)
    return table


_TABLE = _table(8)


@cache
def _pair_table() -> Uint32s:
    """The same for two bytes at once, 256 KiB."""
    return _table(16)


def masked_crc32c(some: Sequence[bytes | memoryview]) -> Uint32s:
    """Return the checksum of each of some data."""
    crcs = np.zeros(len(some), np.uint32)
    sizes = np.array([len(data) for data in some], np.int64)
    # Of about one length together: a row is never less than half filled.
    widths = 1 << np.ceil(np.log2(np.maximum(sizes, 4))).astype(np.int64)
    for width in np.unique(widths).tolist():
        places = np.flatnonzero((widths == width) & (sizes >= 4))
        crcs[places] = _crcs([some[place] for place in places.tolist()], width)
    for place in np.flatnonzero(sizes < 4).tolist():
        crcs[place] = _short(bytes(some[place]))
    return _masked(crcs)


def masked_crc32c_of_rows(rows: Bytes) -> Uint32s:
    """Return the checksum of each row of an array of shape (n, width), width a power of two from 4 on."""
    turned = rows.copy()
    turned[:, :4] ^= 0xFF
    return _masked(_raw(turned) ^ _ONES)


def _masked(crcs: Uint32s) -> Uint32s:
    masked: Uint32s = ((crcs >> np.uint32(15)) | (crcs << np.uint32(17))) + np.uint32(_MASK_DELTA)
    return masked


def _crcs(some: Sequence[bytes | memoryview], width: int) -> Uint32s:
    """CRC-32C of data of 4 to `width` bytes, which is a power of two."""
    rows = np.zeros((len(some), width), np.uint8)
    flat = rows.reshape(-1)
    for number, data in enumerate(some, 1):
        flat[number * width - len(data) : number * width] = np.frombuffer(data, np.uint8)
    # A CRC begins with ones: that is to turn the bits of the first four bytes.
    starts = np.arange(1, len(some) + 1) * width - np.array([len(data) for data in some], np.int64)
    for place in range(4):
        flat[starts + place] ^= 0xFF
    return _raw(rows) ^ _ONES


def _short(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = int(_TABLE[(crc ^ byte) & 0xFF]) ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _raw(rows: Bytes) -> Uint32s:
    """CRCs of rows that begin with zero instead of ones."""
    count, width = rows.shape
    lanes = 1
    while lanes * count < _LANES and width // lanes > 8:
        lanes *= 2
    # Pairs of bytes of one place stand together, so that each step reads what is contiguous.
    steps = np.ascontiguousarray(rows.view("<u2").reshape(count * lanes, width // lanes // 2).T)
    table, crc = _pair_table(), np.zeros(count * lanes, np.uint32)
    for pairs in steps:
        crc = table.take(crc.astype(np.uint16) ^ pairs) ^ crc >> np.uint32(16)
    length = width // lanes
    while lanes > 1:
        both = crc.reshape(-1, 2)
        crc = _followed_by_zeros(both[:, 0], length) ^ both[:, 1]
        lanes, length = lanes // 2, length * 2
    return crc


@cache
def _zeros_tables(length: int) -> tuple[Uint32s, ...]:
    """Tables of what `length` zero bytes, a power of two, make of each byte of a CRC."""
    if length == 1:
        values = [np.arange(256, dtype=np.uint32) << np.uint32(8 * place) for place in range(4)]
        return tuple(_TABLE[value & 0xFF] ^ value >> np.uint32(8) for value in values)
    return tuple(_followed_by_zeros(table, length // 2) for table in _zeros_tables(length // 2))


def _followed_by_zeros(crc: Uint32s, length: int) -> Uint32s:
    tables = _zeros_tables(length)
    result: Uint32s = tables[0][crc & np.uint32(0xFF)]
    for place in (1, 2, 3):
        result = result ^ tables[place][crc >> np.uint32(8 * place) & np.uint32(0xFF)]
    return result
