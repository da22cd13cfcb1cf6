"""PostgreSQL's hash of a uuid, by which databases that are spread over machines lay out their shards.

It is `hash_bytes` of PostgreSQL's src/common/hashfn.c for 16 bytes on little-endian machines: Bob Jenkins' lookup3,
https://burtleburtle.net/bob/c/lookup3.c.
"""

from uuid import UUID

_MASK = 0xFFFF_FFFF
_MIX = (4, 6, 8, 16, 19, 4)
_FINAL = (14, 11, 25, 16, 4, 14, 24)
# The golden ratio, the length, and PostgreSQL's own seed.
_FIRST = 0x9E37_79B9 + 16 + 3_923_095 & _MASK


def place_of(run_id: UUID, count: int) -> int:
    """Return which of `count` equal parts of the range of hashes a run is in; a shard is in one, or in neighbours."""
    # The shards are ranges of the signed number.
    return ((hash_of(run_id) ^ 0x8000_0000) * count) >> 32


def hash_of(run_id: UUID) -> int:
    """Return the hash as an unsigned number; PostgreSQL's `uuid_hash` has the same 32 bits."""
    first, second, third, last = (
        int.from_bytes(run_id.bytes[at : at + 4], "little") for at in range(0, 16, 4)
    )
    a, b, c = (_FIRST + first & _MASK, _FIRST + second & _MASK, _FIRST + third & _MASK)
    for shift in _MIX:
        a = a - c & _MASK ^ _turned(c, shift)
        c = c + b & _MASK
        a, b, c = b, c, a
    a = a + last & _MASK
    for shift in _FINAL:
        c = (c ^ b) - _turned(b, shift) & _MASK
        a, b, c = b, c, a
    # Seven turns of three end one further than they began.
    return b


def _turned(number: int, shift: int) -> int:
    return (number << shift | number >> 32 - shift) & _MASK
