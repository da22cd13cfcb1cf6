"""Files that are written past the page cache are the bytes that were given, from whatever offset, on whatever disk."""

import fcntl
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stepwell_server.store.content import sequential_file
from stepwell_server.store.content.sequential_file import BLOCK_BYTES, BUFFER_BYTES, SequentialFile

MEMORY = Path("/dev/shm")  # a file system in memory


@contextmanager
def opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def cut(data: bytes, seed: int) -> Iterator[bytes]:
    """Yield data in pieces of all sizes."""
    chance, at = random.Random(seed), 0
    while at < len(data):
        count = chance.choice([1, 511, BLOCK_BYTES, 100_000, 524_288, BUFFER_BYTES, BUFFER_BYTES + 1])
        yield data[at : at + count]
        at += count


def written(path: Path, data: bytes, offset: int, seed: int) -> bytes:
    path.write_bytes(data[:offset])
    with opened(path) as descriptor:
        target = SequentialFile(descriptor, offset)
        for piece in cut(data[offset:], seed):
            target.write(piece)
        target.flush()
    return path.read_bytes()


SIZES = [0, 1, BLOCK_BYTES, BUFFER_BYTES - 1, BUFFER_BYTES, BUFFER_BYTES + 1, 3 * BUFFER_BYTES + 12_345]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("offset", [0, 1, BLOCK_BYTES, BUFFER_BYTES])
def test_what_was_given_is_there(tmp_path: Path, size: int, offset: int) -> None:
    data = os.urandom(offset + size)
    assert written(tmp_path / "file", data, offset, seed=size) == data


def test_a_file_system_without_direct_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = os.urandom(2 * BUFFER_BYTES + 7)
    # One that says so, and one that finds out when it writes: blocks of 1 byte less fit no disk.
    path = MEMORY / f"stepwell-{os.getpid()}"
    try:
        assert written(path, data, 0, seed=1) == data
    finally:
        path.unlink()
    monkeypatch.setattr(sequential_file, "BUFFER_BYTES", BUFFER_BYTES - 1)
    assert written(tmp_path / "file", data, 0, seed=2) == data


def test_large_files_go_past_the_page_cache(tmp_path: Path) -> None:
    with opened(tmp_path / "file") as descriptor:
        target = SequentialFile(descriptor, 0)
        target.write(bytes(BUFFER_BYTES))
        is_direct = bool(fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_DIRECT)
        assert is_direct or _file_system(tmp_path) not in ("ext4", "xfs")


def _file_system(folder: Path) -> str:
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    above = [(len(point), kind) for _, point, kind, *_ in mounts if folder.is_relative_to(point)]
    return max(above)[1]
