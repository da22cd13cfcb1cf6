"""What an import may read: what lies below the named source, and what else was allowed. Links count as where they lead.

A store that somebody else made may name any file of this machine: in a link, in the address of artifacts, in the id of
a run. Without this an import would publish it.
"""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from stepwell.transfer.sources import SourceError

# A param, a tag or a description; Stepwell stores at most 24,000 bytes of one.
TEXT_BYTES_MAX = 1 << 20


class Reach:
    """Folders that may be read, `roots`."""

    def __init__(self, roots: Iterable[Path]) -> None:
        self.roots = [root.resolve() for root in roots]

    def check(self, path: Path) -> Path:
        """Return where a path leads.

        Raises:
            SourceError: to nothing, in a circle, or out of what may be read.
        """
        try:
            real = path.resolve(strict=True)
        except PermissionError:
            raise SourceError(f"{path} may not be read by this user") from None
        except (OSError, RuntimeError, ValueError):  # RuntimeError for a circle, before Python 3.13
            what = "is a link that leads nowhere" if path.is_symlink() else "is not there"
            raise SourceError(f"{path} {what}") from None
        if not any(real.is_relative_to(root) for root in self.roots):
            raise SourceError(
                f"{path} leads to {real}, outside of what is imported; if it may be read: --allow-outside {real}"
            )
        return real

    def open(self, path: Path) -> int:
        """Open a file for reading and return its descriptor. Raises SourceError, also for what is no file."""
        real = self.check(path)
        try:
            # Neither a link that came meanwhile, nor a wait for whoever writes to a FIFO.
            descriptor = os.open(real, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as failure:
            raise SourceError(f"{path} cannot be read: {failure.strerror}") from None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise SourceError(f"{path} is no file")
        return descriptor

    def read(self, path: Path, bytes_max: int = TEXT_BYTES_MAX) -> bytes:
        """Return the content of a file. Raises SourceError, also when it is larger than `bytes_max`."""
        with os.fdopen(self.open(path), "rb") as file:
            try:
                content = file.read(bytes_max + 1)
            except OSError as failure:
                raise SourceError(f"{path} cannot be read: {failure.strerror}") from None
        if len(content) > bytes_max:
            raise SourceError(f"{path} has more than {bytes_max:,} bytes")
        return content

    def read_text(self, path: Path) -> str:
        """Return a text as it was written, with all its line ends. Raises SourceError, also when it is no UTF-8."""
        try:
            return self.read(path).decode("utf-8")
        except UnicodeDecodeError as failure:
            raise SourceError(
                f"{path} is no UTF-8 (byte {failure.start}); convert it and import again"
            ) from None

    def entries(self, folder: Path) -> list[os.DirEntry[str]]:
        """Return what is in a folder, by name; nothing when there is none. Raises SourceError."""
        if not os.path.lexists(folder):
            return []
        self.check(folder)
        try:
            return sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as failure:
            raise SourceError(f"{folder} cannot be read: {failure.strerror}") from None


def is_folder(path: Path) -> bool:
    """Tell whether there is a folder that this user may see; also where `Path.is_dir` raises."""
    try:
        return path.is_dir()
    except OSError:
        return False
