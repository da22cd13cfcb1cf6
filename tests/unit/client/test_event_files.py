"""Event files: checksums are right, and whatever bit is wrong, the other records come and the place is told."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepwell.transfer.tensorboard_files import events as event_files
from stepwell.transfer.tensorboard_files.crc32c import masked_crc32c
from stepwell.transfer.tensorboard_files.events import EventFile


def bit_by_bit(data: bytes) -> int:
    """CRC-32C as its definition has it, masked."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x82F63B78 * (crc & 1)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def test_the_checksum_is_tensorboards() -> None:
    # "123456789" has the CRC-32C e3069283.
    assert bit_by_bit(b"123456789") == ((0xE3069283 >> 15 | 0xE3069283 << 17) + 0xA282EAD8) & 0xFFFFFFFF


@settings(deadline=None)
@given(st.lists(st.binary(max_size=70), max_size=20))
def test_checksums_of_many_are_those_of_each(some: list[bytes]) -> None:
    assert masked_crc32c(some).tolist() == [bit_by_bit(data) for data in some]


@pytest.mark.parametrize("size", [1_000, 4_096, 70_001])
def test_checksums_of_what_is_long(size: int) -> None:
    some = [bytes(np.random.default_rng(seed).integers(0, 256, size, np.uint8)) for seed in (1, 2)]
    assert masked_crc32c(some).tolist() == [bit_by_bit(data) for data in some]


def record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    sums = masked_crc32c([length, data])
    return length + struct.pack("<I", sums[0]) + data + struct.pack("<I", sums[1])


def read(path: Path, content: bytes) -> tuple[list[bytes], EventFile]:
    path.write_bytes(content)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        file = EventFile(descriptor)
        return [bytes(record.data) for record in file.records()], file
    finally:
        os.close(descriptor)


DATA = [b"", b"a", b"first", bytes(40), b"x" * 33]


def test_any_bit_that_is_wrong_costs_its_record_and_no_other(tmp_path: Path) -> None:
    content = b"".join(map(record, DATA)) + record(b"last")
    for place in range(sum(len(record(data)) for data in DATA)):
        for bit in range(8):
            flipped = bytearray(content)
            flipped[place] ^= 1 << bit
            found, file = read(tmp_path / "file", bytes(flipped))
            owner = next(
                n for n in range(len(DATA)) if place < sum(len(record(data)) for data in DATA[: n + 1])
            )
            assert found == [data for n, data in enumerate(DATA) if n != owner] + [b"last"]
            assert file.damaged_count == 1
            assert file.damaged[0].startswith(f"byte {sum(len(record(data)) for data in DATA[:owner])}:")


def test_a_record_that_is_under_way_is_no_damage(tmp_path: Path) -> None:
    content = record(b"one") + record(b"two")
    for end in range(len(content) + 1):
        found, file = read(tmp_path / "file", content[:end])
        assert found == [b"one", b"two"][: (end >= len(record(b"one"))) + (end == len(content))]
        assert file.damaged_count == 0


def test_records_are_read_across_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_files, "PIECE_BYTES", 64)
    data = [bytes([n]) * (n * 7 % 200) for n in range(60)]
    found, file = read(tmp_path / "file", b"".join(map(record, data)))
    assert (found, file.damaged_count) == (data, 0)
    astray = record(b"one") + b"\xff" * 1_000 + record(b"two") + bytes(500)
    found, file = read(tmp_path / "file", astray)
    assert (found, file.damaged_count) == ([b"one", b"two"], 2)


def test_a_record_that_is_too_large_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_files, "PIECE_BYTES", 64)
    monkeypatch.setattr(event_files, "RECORD_BYTES_MAX", 128)
    found, file = read(tmp_path / "file", record(b"one") + record(bytes(200)) + record(b"two"))
    assert found == [b"one", b"two"]
    assert file.damaged == ["byte 19: 216 bytes, which is too large"]


def test_a_file_that_is_all_damage_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_files, "DAMAGES_MAX", 3)
    bad = record(b"bad")[:-1] + b"?"
    found, file = read(tmp_path / "file", record(b"one") + bad * 10)
    assert (found, file.damaged_count >= 3) == ([b"one"], True)
