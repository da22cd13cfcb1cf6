"""The disk that a folder of artifacts is on, of which something is left for the database."""

import os
from pathlib import Path

from stepwell_server.config import DISK_RESERVE_SHARE_MAX
from stepwell_server.errors import ExhaustedError


class Disk:
    """Says how much may be written: `reserve_bytes` stay free, of a small disk DISK_RESERVE_SHARE_MAX of it."""

    def __init__(self, folder: Path, reserve_bytes: int) -> None:
        self._folder = folder
        self._reserve_bytes = reserve_bytes

    def free_bytes(self) -> int:
        """Return what is free beyond the reserve."""
        folder = self._folder
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        disk = os.statvfs(folder)
        reserve = min(self._reserve_bytes, int(disk.f_blocks * disk.f_frsize * DISK_RESERVE_SHARE_MAX))
        return max(0, disk.f_bavail * disk.f_frsize - reserve)

    def require(self, size: int) -> None:
        """Raise ExhaustedError when there is no room for so many bytes."""
        if size > self.free_bytes():
            raise ExhaustedError(
                "the disk of the artifacts is full, but for what the database needs; delete something, or give it a "
                "larger one",
                None,
            )
