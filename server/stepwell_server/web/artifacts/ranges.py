"""Which bytes of a file a request asks for (RFC 9110, section 14)."""

import re
from dataclasses import dataclass

from stepwell_server.errors import InvalidArgumentError

# Ends are often the greatest number that the client knows.
_ONE = re.compile(r"(\d{0,40})-(\d{0,40})", re.ASCII)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """`count` bytes from `first` on."""

    first: int
    count: int


class UnsatisfiableError(Exception):
    """No byte of the file is in the range."""


def parse_range(header: str | None, size_bytes: int) -> ByteRange | None:
    """Return what the header Range asks for; None for the whole, also for other units and for several ranges at once.

    Raises:
        InvalidArgumentError: it is not written as ranges are.
        UnsatisfiableError: it begins behind the end.
    """
    if header is None:
        return None
    unit, equals, text = header.partition("=")
    if equals and unit.strip().lower() != "bytes":
        return None
    if equals and "," in text:
        return None  # who asks for several has to take the whole, too
    found = _ONE.fullmatch(text.strip())
    if not equals or found is None or found.group() == "-":
        raise InvalidArgumentError(f"the header Range is {header[:60]!r}; write it like bytes=0-499")
    first, last = found.groups()
    if not first:
        return _satisfiable(max(0, size_bytes - int(last)), size_bytes - 1, size_bytes)
    if last and int(last) < int(first):
        raise InvalidArgumentError(f"the range {text[:60]!r} ends before it begins")
    return _satisfiable(int(first), int(last) if last else size_bytes - 1, size_bytes)


def _satisfiable(first: int, last: int, size_bytes: int) -> ByteRange:
    if first >= size_bytes:
        raise UnsatisfiableError
    return ByteRange(first, min(last, size_bytes - 1) - first + 1)
