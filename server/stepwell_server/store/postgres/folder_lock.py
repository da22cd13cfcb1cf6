"""One server for one data folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stepwell_server.errors import StartupError

LOCK_NAME = "server.lock"


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold the data folder, made if it is missing, for this process alone.

    The kernel gives the lock back when the process ends, however it ends.

    Raises:
        StartupError: another process holds it, or the folder cannot be used.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StartupError(
            f"the data folder {folder} cannot be used: {error.strerror}; choose another with --data"
        ) from error
    try:
        _take(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
        raise StartupError(
            f"another Stepwell server (process {holder}) uses the data folder {folder};"
            " stop it, or choose another folder with --data"
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
