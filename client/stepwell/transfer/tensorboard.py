"""Scalars of TensorBoard's event files, read without TensorFlow or TensorBoard.

An event file is a row of records: length (8 bytes, little-endian), checksum of the length (4), the data, checksum of
the data (4). The data are a protobuf message Event; of it only wall_time (1), step (2) and summary (5) are needed,
of a summary's values tag (1), simple_value (2) and tensor (8) of one float. Only the checksum of the length is
checked, because a wrong length leads astray. See
https://github.com/tensorflow/tensorboard/blob/master/tensorboard/compat/proto/event.proto and summary.proto.
"""

import struct
from collections.abc import Iterator
from logging import getLogger
from pathlib import Path

from stepwell.errors import invalid
from stepwell.transfer.sources import ImportedExperiment, ImportedRun, PointColumns, columns

ROWS_AT_ONCE = 100_000
EVENTS = "*tfevents*"

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_DT_FLOAT, _DT_DOUBLE = 1, 2
# The polynomial of Castagnoli, its bits in reverse.
_CRC32C_POLYNOMIAL = 0x82F63B78
_CRC32C = list(range(256))
for _ in range(8):
    _CRC32C = [crc >> 1 ^ _CRC32C_POLYNOMIAL * (crc & 1) for crc in _CRC32C]

_log = getLogger("stepwell")

Row = tuple[str, int, int, float]
Field = tuple[int, int, int | bytes]


class TensorBoardFolder:
    """A log folder: each folder below it that holds event files is a run, named by its path."""

    def __init__(self, folder: Path, experiment: str) -> None:
        if not folder.is_dir():
            raise invalid(f"There is no folder {str(folder)!r}; name the log folder that TensorBoard shows.")
        if next(folder.rglob(EVENTS), None) is None:
            raise invalid(f"There are no event files ({EVENTS}) below {str(folder)!r}.")
        self._folder = folder.resolve()
        self._experiment = experiment

    def experiments(self) -> Iterator[ImportedExperiment]:
        """See `Source`."""
        yield ImportedExperiment(self._experiment)

    def runs(self) -> Iterator[ImportedRun]:
        """See `Source`."""
        for folder in sorted({path.parent for path in self._folder.rglob(EVENTS)}):
            name = folder.relative_to(self._folder).as_posix()
            start = next((row[2] for row in _rows(folder)), 0)
            yield ImportedRun(
                source_id=f"tensorboard {self._experiment} {name}",
                experiment=self._experiment,
                name=self._folder.name if name == "." else name,
                status="FINISHED",
                start_time_ms=start,
                end_time_ms=None,
                points=lambda folder=folder: _points(folder),  # type: ignore[misc]
                tags={"stepwell.source": f"tensorboard {folder}"},
            )


def _points(folder: Path) -> Iterator[PointColumns]:
    """Points in the order of the files and their records, both of which only grow at the end."""
    rows: list[Row] = []
    for row in _rows(folder):
        rows.append(row)
        if len(rows) == ROWS_AT_ONCE:
            yield columns(rows)
            rows = []
    if rows:
        yield columns(rows)


def _rows(folder: Path) -> Iterator[Row]:
    for path in sorted(folder.glob(EVENTS)):
        for record in _records(path):
            yield from _scalars(record)


def _records(path: Path) -> Iterator[bytes]:
    """The records of a file; one that is not finished yet, or damaged, ends them."""
    with path.open("rb") as file:
        while len(head := file.read(12)) == 12:
            length, checksum = struct.unpack("<QI", head)
            if checksum != masked_crc32c(head[:8]):
                _log.warning("%s is damaged before byte %d; what follows is left out.", path, file.tell())
                return
            record = file.read(length + 4)
            if len(record) < length + 4:
                return
            yield record[:length]


def masked_crc32c(data: bytes) -> int:
    """The checksum of event files: a CRC-32C that is rotated, so that it may stand in data that has a CRC itself.

    See https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/lib/hash/crc32c.h
    """
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC32C[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _scalars(record: bytes) -> Iterator[Row]:
    time_ms, step, summaries = 0, 0, []
    for number, kind, value in _fields(record):
        if number == 1 and kind == _FIXED64:
            time_ms = round(struct.unpack("<d", _as_bytes(value))[0] * 1_000)
        elif number == 2 and isinstance(value, int):
            step = value - 2**64 if value >= 2**63 else value
        elif number == 5 and isinstance(value, bytes):
            summaries.append(value)
    for summary in summaries:
        for number, _, message in _fields(summary):
            if number == 1 and isinstance(message, bytes):
                tag, scalar = _summary_value(message)
                if scalar is not None:
                    yield tag, step, time_ms, scalar


def _summary_value(message: bytes) -> tuple[str, float | None]:
    tag, scalar = "", None
    for number, kind, value in _fields(message):
        if number == 1:
            tag = _as_bytes(value).decode()
        elif number == 2 and kind == _FIXED32:
            (scalar,) = struct.unpack("<f", _as_bytes(value))
        elif number == 8:
            scalar = _tensor_scalar(_as_bytes(value))
    return tag, scalar


def _tensor_scalar(message: bytes) -> float | None:
    """The number of a tensor that holds one float or double; None for other tensors (images, texts, histograms)."""
    kind, content, numbers = 0, b"", b""
    for number, _, value in _fields(message):
        if number == 1 and isinstance(value, int):
            kind = value
        elif number == 4:
            content = _as_bytes(value)
        elif number in (5, 6):  # float_val, double_val
            numbers = _as_bytes(value)
    form = {_DT_FLOAT: "<f", _DT_DOUBLE: "<d"}.get(kind)
    data = content or numbers
    if form is None or len(data) != struct.calcsize(form):
        return None
    return float(struct.unpack(form, data)[0])


def _fields(message: bytes) -> Iterator[Field]:
    """Number, wire type and value of each field of a protobuf message."""
    at = 0
    while at < len(message):
        head, at = _varint(message, at)
        number, kind = head >> 3, head & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield number, kind, value
            continue
        if kind == _BYTES:
            length, at = _varint(message, at)
        else:
            length = {_FIXED64: 8, _FIXED32: 4}[kind]
        yield number, kind, message[at : at + length]
        at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = message[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at


def _as_bytes(value: int | bytes) -> bytes:
    assert isinstance(value, bytes)
    return value
