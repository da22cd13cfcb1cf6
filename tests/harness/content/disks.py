"""Small disks, for tests of what happens when they are full, and one in memory, for what is not to wait for a disk."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")
# What the tests' databases have at once, and what the largest benchmark puts there, several times over.
MEMORY_BYTES_MIN = 8 * 2**30
BALLAST = "ballast"
BLOCK_BYTES = 64 * 1024


def folder_in_memory() -> Path | None:
    """Return a folder in memory, if there is one with room: a database of 500 files is there in a tenth of the time."""
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_BYTES_MIN:
        return MEMORY
    return None


@contextmanager
def small_disk(folder: Path, mebibytes: int) -> Iterator[Path]:
    """Mount a file system of this size on a folder that is made for it; skips the test where nobody may mount."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=755", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"a disk of our own needs the right to mount: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> None:
    """Write until nothing more fits."""
    with (disk / BALLAST).open("ab", buffering=0) as ballast:
        for size in (BLOCK_BYTES, 4096, 1):
            with contextlib.suppress(OSError):
                while ballast.write(os.urandom(size)) == size:
                    pass


def make_room(disk: Path) -> None:
    """Take away what `fill` wrote."""
    (disk / BALLAST).unlink()
