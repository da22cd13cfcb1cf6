"""Every bit of every file of a spool, flipped: nothing that was not logged comes out, and what is lost is counted."""

import contextlib
import os
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from stepwell import StepwellException
from stepwell.spool import committed
from stepwell.spool.arrays import ArrayPoints
from stepwell.spool.log import Spool, SpoolLimits, log_file_name
from stepwell.spool.names import NAMES_FILE
from stepwell.spool.reader import SpoolReader
from stepwell.spool.records import ENTRY_MARK, NS_PER_MS, RECORD_BYTES
from stepwell.spool.segment import FIRST_SEGMENT_RECORDS
from stepwell.spool.segment_files import segment_name
from stepwell.spool.writer_file import WRITER_FILE, describe_writer, read_writer, write_writer

ALL = 10**9
POINTS = [
    ("loss", -1, -5, 0.1),
    ("accuracy", 0, 1, 0.0),
    ("loss", 2**63 - 1, 1_700_000_000_000, float("nan")),
]
ARRAY = ("curve", [3, 1, 2], [7, 8, 9], [0.5, -0.0, 2.5])
ENTRIES = [b"first", b"second"]
RECORDS = len(POINTS) + len(ENTRIES) + 1

Found = Counter[tuple[object, ...]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A spool with points of two metrics, entries around them, and an array of a third metric."""
    log = Spool(tmp_path, SpoolLimits(2**30, "raise"), lambda *_: None)
    log.append_entry(ENTRIES[0])
    for name, step, time_ms, value in POINTS:
        log.append_point(log.number_of(name), step, time_ms * NS_PER_MS, value)
    name, *columns = ARRAY
    log.append_array(ArrayPoints(log.number_of(name), *map(np.array, columns)))
    log.append_entry(ENTRIES[1])
    log.close()
    return tmp_path


def read_all(reader: SpoolReader) -> Found:
    """All that comes out, each point with its metric's name and its bits."""
    found: Found = Counter()
    position = 0
    reader.find_missing(0)
    while (piece := reader.read(position, ALL, ALL)) is not None:
        position = piece.end_position
        found.update((entry,) for _, entry in piece.entries)
        numbers = [piece.numbers.tolist(), *([array.number] * len(array) for array in piece.arrays)]
        for of, columns in zip(numbers, [piece, *piece.arrays], strict=True):
            rows = (columns.steps, columns.timestamps_ms, columns.values)
            for number, step, time_ms, value in zip(of, *(row.tolist() for row in rows), strict=True):
                found[reader.name_of(number), step, time_ms, struct.pack("<d", value)] += 1
    return found


def all_of(folder: Path) -> Found:
    found = read_all(reader := SpoolReader(folder, alive=False))
    assert (found.total(), reader.damage.count) == (len(POINTS) + len(ENTRIES) + 3, 0)
    return found


@contextlib.contextmanager
def flipped(path: Path, bit: int) -> Iterator[None]:
    """The file with one bit the other way."""
    with path.open("r+b", buffering=0) as file:
        (byte,) = os.pread(file.fileno(), 1, bit // 8)
        os.pwrite(file.fileno(), bytes([byte ^ 1 << bit % 8]), bit // 8)
        yield
        os.pwrite(file.fileno(), bytes([byte]), bit // 8)


def bits(path: Path, bytes_max: int = ALL) -> range:
    return range(8 * min(path.stat().st_size, bytes_max))


def test_records(folder: Path) -> None:
    logged, path = all_of(folder), folder / segment_name(0, FIRST_SEGMENT_RECORDS)
    for bit in bits(path, RECORDS * RECORD_BYTES):
        with flipped(path, bit):
            found = read_all(reader := SpoolReader(folder, alive=False))
        lost = logged - found
        assert not found - logged, f"bit {bit}: came out wrong"
        index = bit // 8 // RECORD_BYTES
        assert lost.total() == (3 if index == len(POINTS) + 1 else 1), f"bit {bit}: {lost}"
        (damage,) = reader.damage
        # How many points an array has is what may be damaged.
        assert reader.damage.count >= lost.total()
        assert path.name in damage.reason
        assert f"record {index} (position {index})" in damage.reason


def test_records_of_a_living_process(folder: Path) -> None:
    logged, path = all_of(folder), folder / segment_name(0, FIRST_SEGMENT_RECORDS)
    for bit in list(bits(path, RECORDS * RECORD_BYTES))[::13]:
        with flipped(path, bit):
            found = read_all(reader := SpoolReader(folder, alive=True))
        assert not found - logged
        assert reader.damage.count >= (logged - found).total() > 0


def test_the_empty_tail_is_known_to_be_empty(folder: Path) -> None:
    logged, path = all_of(folder), folder / segment_name(0, FIRST_SEGMENT_RECORDS)
    tail = range(8 * RECORDS * RECORD_BYTES, 8 * (RECORDS + 2) * RECORD_BYTES)
    for bit in tail:
        with flipped(path, bit):
            reader = SpoolReader(folder, alive=False)
            assert (read_all(reader), reader.end_position()) == (logged, RECORDS)
            assert not reader.damage.count


@pytest.mark.parametrize("file", [log_file_name(0), NAMES_FILE])
def test_frames(folder: Path, file: str) -> None:
    logged, path = all_of(folder), folder / file
    for bit in bits(path):
        with flipped(path, bit):
            found = read_all(reader := SpoolReader(folder, alive=False))
        lost = logged - found
        assert not found - logged, f"bit {bit}: came out wrong"
        assert reader.damage.count == lost.total(), f"bit {bit}: {lost}"
        # A name takes only its own points with it.
        assert len({row[0] for row in lost}) <= 1


def test_what_was_committed(folder: Path) -> None:
    committed.note(folder, 5)
    path = folder / committed.COMMITTED_FILE
    for bit in bits(path):
        with flipped(path, bit):
            assert SpoolReader(folder, alive=False).known_position() in (1, 5)
    path.write_bytes(b"")
    assert SpoolReader(folder, alive=False).known_position() == 1, "there was one"
    path.write_bytes(b"0000000000000007")
    assert SpoolReader(folder, alive=False).known_position() == 7, "the first form"
    path.unlink()
    assert SpoolReader(folder, alive=False).known_position() == 0


def test_whose_log_it_is(tmp_path: Path) -> None:
    writer = describe_writer("grpc://127.0.0.1:50051", "ab" * 16, "cd" * 16, "a näme", b"\x0a\x01x")
    write_writer(tmp_path, writer)
    path = tmp_path / WRITER_FILE
    assert read_writer(tmp_path) == writer
    believed = 0
    for bit in bits(path):
        with flipped(path, bit), contextlib.suppress(StepwellException):
            assert read_writer(tmp_path) == writer, f"bit {bit}"
            believed += 1
    assert believed < len(bits(path)) / 8, "all but its spaces is checked"


def test_a_page_that_never_came_to_the_disk(folder: Path) -> None:
    """Zeros from the middle of a record on, in the middle of the log."""
    logged, path = all_of(folder), folder / segment_name(0, FIRST_SEGMENT_RECORDS)
    for cut in range(2 * RECORD_BYTES):
        data = bytearray(path.read_bytes())
        data[RECORD_BYTES + cut : 4 * RECORD_BYTES] = bytes(3 * RECORD_BYTES - cut)
        torn = folder.parent / f"torn-{cut}"
        torn.mkdir(mode=0o700)
        for file in folder.iterdir():
            (torn / file.name).write_bytes(data if file == path else file.read_bytes())
        found = read_all(reader := SpoolReader(torn, alive=False))
        assert not found - logged
        assert reader.damage.count == (logged - found).total() > 0


def test_each_damaged_place_is_counted_once_however_often_it_is_read(folder: Path) -> None:
    path = folder / segment_name(0, FIRST_SEGMENT_RECORDS)
    with flipped(path, 8 * 2 * RECORD_BYTES), flipped(folder / log_file_name(0), 8 * 14):
        reader = SpoolReader(folder, alive=False)
        for _ in range(3):
            assert reader.read(0, ALL, ALL) is not None
    assert (reader.damage.count, len(reader.damage), reader.extra_points) == (2, 2, 2)


def test_the_first_form_is_read(tmp_path: Path) -> None:
    """Records that were written once, with times in milliseconds, and names that were counted."""
    old = struct.Struct("<qqd4xI")
    records = [(7, 1_700_000_000_000, 0.5, 1), (0, 0, 0.0, ENTRY_MARK), (8, -1, float("inf"), 2)]
    data = b"".join(old.pack(*record) for record in records)
    (tmp_path / "points-0000000000000000-400").write_bytes(data.ljust(1_024 * old.size, b"\0"))
    frame = struct.Struct("<IIB3x")
    files = {"names": [(3, b"loss"), (3, b"accuracy")], "log-00000000": [(1, b"entry")]}
    for name, frames in files.items():
        packed = [
            frame.pack(len(text), committed.zlib.crc32(text, kind), kind) + text for kind, text in frames
        ]
        (tmp_path / name).write_bytes(b"".join(packed))
    for path in tmp_path.iterdir():
        path.chmod(0o600)
    reader = SpoolReader(tmp_path, alive=False)
    rows = [("loss", 7, 1_700_000_000_000, 0.5), ("accuracy", 8, -1, float("inf"))]
    expected = Counter([(b"entry",), *((*row[:3], struct.pack("<d", row[3])) for row in rows)])
    assert (read_all(reader), reader.end_position(), reader.damage.count) == (expected, 3, 0)
