"""What one call may fetch from elsewhere: so many files, and so many bytes."""

import shutil
from pathlib import Path

from stepwell.errors import StepwellException, invalid
from stepwell.files import options

# Of more, a part would be what is meant.
FILES_MAX = 100_000


class Allowance:
    """Counts what comes of an address, whatever it says of itself. RESOURCE_EXHAUSTED beyond.

    Args:
        uri: the address as messages show it.
        folder: where it goes.
    """

    def __init__(self, uri: str, folder: Path) -> None:
        self._uri = uri
        self._folder = folder
        self._files_left = FILES_MAX
        self._bytes_max = self._bytes_left = options.fetched_bytes_max()

    def file(self) -> None:
        """Take note of one more file. Raises INVALID_PARAMETER_VALUE when it is one too many."""
        self._files_left -= 1
        if self._files_left < 0:
            raise invalid(f"{self._uri} has more than {FILES_MAX:,} files; name a part of it.")

    def announced(self, count: int) -> None:
        """Take note that so many bytes are about to come."""
        if count > self._bytes_left:
            raise self._too_much()
        free = shutil.disk_usage(self._folder).free
        if count > free:
            raise StepwellException(
                f"{self._uri}: {count:,} bytes are to come, and the disk of {self._folder} has {free:,} left.",
                "RESOURCE_EXHAUSTED",
            )

    def add(self, count: int) -> None:
        """Take note of bytes that came."""
        self._bytes_left -= count
        if self._bytes_left < 0:
            raise self._too_much()

    def _too_much(self) -> StepwellException:
        return StepwellException(
            f"{self._uri} has more than {self._bytes_max:,} bytes; if that is meant, set {options.FETCHED_BYTES_MAX}.",
            "RESOURCE_EXHAUSTED",
        )
