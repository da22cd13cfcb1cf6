"""The disk that a folder of artifacts is on, of which something is left for the database."""

import os
from contextlib import suppress
from pathlib import Path

from stepwell_server.config import DISK_RESERVE_SHARE_MAX
from stepwell_server.errors import ExhaustedError, UnavailableError

# For the server alone: others read through it.
FILE_MODE, FOLDER_MODE = 0o600, 0o700
# Below the root of a folder: whole files, and what is on its way.
CONTENT, UNFINISHED = "content", "unfinished"


class Disk:
    """Says how much may be written: `reserve_bytes` stay free, of a small disk DISK_RESERVE_SHARE_MAX of it.

    `mark` is a file that is there as long as the disk is, if there is one.
    """

    def __init__(self, folder: Path, reserve_bytes: int, mark: Path | None = None) -> None:
        self._folder = folder
        self._reserve_bytes = reserve_bytes
        self._mark = mark

    def free_bytes(self) -> int:
        """Return what is free beyond the reserve."""
        folder = self._folder
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        disk = os.statvfs(folder)
        reserve = min(self._reserve_bytes, int(disk.f_blocks * disk.f_frsize * DISK_RESERVE_SHARE_MAX))
        return max(0, disk.f_bavail * disk.f_frsize - reserve)

    def require(self, size: int) -> None:
        """Raise ExhaustedError when there is no room for so many bytes, UnavailableError when the disk is gone."""
        self.require_there()
        if size > self.free_bytes():
            raise ExhaustedError(
                "the disk of the artifacts is full, but for what the database needs; delete something, or give it a "
                "larger one",
                None,
            )

    def require_there(self) -> None:
        """Raise UnavailableError when the disk is gone: then nothing may be taken for lost, removed or written."""
        if self._mark is not None and not self._mark.exists():
            raise UnavailableError(f"{self._mark} is gone: the artifact folder is not mounted any more")


def look_anew(folder: Path) -> None:
    """Forget what is known of a folder: NFS remembers for seconds that a file is missing which another machine made."""
    with suppress(OSError):
        os.close(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))


def flush_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
