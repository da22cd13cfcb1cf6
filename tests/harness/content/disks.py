"""A small disk of its own, for tests of what happens when it is full."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BALLAST = "ballast"
BLOCK_BYTES = 64 * 1024


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
