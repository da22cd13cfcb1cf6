"""The metrics of MLflow's folders: a file for each, a line for each point: time, value and, since 1.0, step."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

from stepwell.transfer.left import Left
from stepwell.transfer.mlflow.values import INT64_MAX, INT64_MIN, restored
from stepwell.transfer.sources import PointColumns, columns

# Points that are read together: 20 MB as Python objects.
ROWS_AT_ONCE = 100_000
LINE_BYTES_MAX = 1_000
# Bad lines of one file that are told one by one.
TOLD_MAX = 5


def points_of(key: str, descriptor: int, tell: Callable[[str], None]) -> Iterator[PointColumns]:
    """Yield the points of an open file, which is closed at the end; lines that are no points are told by number."""
    bad = Left()
    with os.fdopen(descriptor, "rb") as file:
        rows = _rows(key, iter(partial(file.readline, LINE_BYTES_MAX), b""), bad)
        while some := list(islice(rows, ROWS_AT_ONCE)):
            yield columns(some)
    for reason in bad.reasons[:TOLD_MAX]:
        tell(f"metric {key!r}, {reason}")
    if bad.count > TOLD_MAX:
        tell(f"metric {key!r}: {bad.count - TOLD_MAX:,} more lines are no points")


def _rows(key: str, lines: Iterator[bytes], bad: Left) -> Iterator[tuple[str, int, int, float]]:
    for number, line in enumerate(lines, 1):
        try:
            yield _point(key, line)
        except ValueError:
            problem = _problem(line)
            if problem:
                bad.add(f"line {number} {problem}")


def _point(key: str, line: bytes) -> tuple[str, int, int, float]:
    words = line.split()
    if len(words) not in (2, 3):
        raise ValueError("a point has two or three numbers")
    time, value, step = int(words[0]), float(words[1]), int(words[2]) if len(words) == 3 else 0
    if not line.endswith(b"\n") or not INT64_MIN <= step <= INT64_MAX or not INT64_MIN <= time <= INT64_MAX:
        raise ValueError("it was cut, or has more than 64 bits")
    return key, step, time, restored(value)


def _problem(line: bytes) -> str:
    """Say what is wrong with a line that is no point; nothing when it is empty."""
    if not line.strip():
        return ""
    if not line.strip(b"\0\r\n "):
        return f"has {len(line)} zeros, as a power cut leaves them"
    if not line.endswith(b"\n"):
        # Its last number may have lost digits.
        return f"has no end, it was cut: {_shown(line)}"
    return f"is no point: {_shown(line)}"


def _shown(line: bytes) -> str:
    return repr(line[:60].decode("utf-8", "backslashreplace").rstrip("\n"))
