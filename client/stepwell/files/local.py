"""Local files on their way to be artifacts: what was there when one was opened, and what was wrong with others."""

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from stepwell.errors import StepwellException, invalid
from stepwell.files.hashing import update
from stepwell_api.v1 import artifacts_pb2

# Files up to here are held in memory on their way.
SMALL_FILE_BYTES_MAX = 1 << 20
# Of what does not tell its size (files of /proc and /sys), so much is read to find out.
UNTOLD_BYTES_MAX = 64 << 20
# How many problems a message tells; more are counted.
PROBLEMS_SHOWN_MAX = 10


class LocalFile:
    """A file that is to become the artifact `path`."""

    __slots__ = ("_source", "path")

    def __init__(self, path: str, source: Path) -> None:
        self.path = path
        # Its name: 100,000 objects of Path take 30 MB more.
        self._source = str(source)

    @property
    def source(self) -> Path:
        """Where it is."""
        return Path(self._source)

    @property
    def size_bytes(self) -> int:
        """How large it is now."""
        return self.source.stat().st_size


class ChangedError(StepwellException):
    """A file was cut or rewritten while it was read. INVALID_STATE."""

    def __init__(self, message: str, error_code: str = "INVALID_STATE") -> None:
        super().__init__(message, error_code)


class Problems:
    """What is wrong with single files, told at the end: it does not keep the others back. Any thread may add."""

    def __init__(self) -> None:
        self._found: list[StepwellException] = []
        self._sources: set[Path] = set()

    def add(self, failure: StepwellException, source: Path | None = None) -> None:
        """Note that something is left out, and why; of one source once."""
        if source is None or source not in self._sources:
            self._found.append(failure)
        if source is not None:
            self._sources.add(source)

    def readable(self, files: Iterable[LocalFile]) -> Iterator[LocalFile]:
        """Yield the files that can be read; the others are noted."""
        for file in files:
            try:
                os.close(open_whole(file.source))
            except OSError as error:
                self.add(unreadable(file.source, error), file.source)
            except StepwellException as failure:
                self.add(failure, file.source)
            else:
                yield file

    @property
    def sources(self) -> frozenset[Path]:
        """The files that were left out."""
        return frozenset(self._sources)

    @property
    def messages(self) -> list[str]:
        """What was wrong, one by one."""
        return [failure.message for failure in self._found]

    def tell(self, *, alone: bool) -> None:
        """Raise what was wrong, if anything was; of a file that was logged alone just that."""
        if not self._found:
            return
        if alone:
            raise self._found[0]
        count = len(self._found)
        shown = sorted(f"  {failure.message}" for failure in self._found)[:PROBLEMS_SHOWN_MAX]
        if count > len(shown):
            shown.append(f"  and {count - len(shown)} more")
        raise StepwellException(
            "\n".join(
                [f"{count} {'file was' if count == 1 else 'files were'} not logged; all others were:", *shown]
            ),
            self._found[0].error_code,
        )


class Source:
    """An open file as it was then: its first `size_bytes` bytes and their hash, not what is added behind."""

    def __init__(self, file: LocalFile, descriptor: int) -> None:
        self.file = file
        self.descriptor = descriptor
        self._state = _state(descriptor)
        self.size_bytes = self._state[0]
        self._data = os.pread(descriptor, self.size_bytes, 0) if self.is_small else None
        self.spec = artifacts_pb2.UploadSpec(path=file.path, size_bytes=self.size_bytes, sha256=self._hash())

    @property
    def is_small(self) -> bool:
        """Whether it is held in memory."""
        return self.size_bytes <= SMALL_FILE_BYTES_MAX

    def read(self) -> bytes:
        """Return all bytes of a small file, as they were hashed."""
        assert self._data is not None
        return self._data

    def require_unchanged(self) -> None:
        """Raise ChangedError when the bytes that were hashed are not there any more; more may have come behind them."""
        if _state(self.descriptor) != self._state and self._hash_of_file() != self.spec.sha256:
            raise self._changed()

    def _hash(self) -> bytes:
        if self._data is None:
            return self._hash_of_file()
        if len(self._data) != self.size_bytes:
            raise self._changed()
        return hashlib.sha256(self._data).digest()

    def _hash_of_file(self) -> bytes:
        digest = hashlib.sha256()
        if update(digest, self.descriptor, 0, self.size_bytes) != self.size_bytes:
            raise self._changed()
        return digest.digest()

    def _changed(self) -> ChangedError:
        return ChangedError(
            f"{self.file.source} was rewritten while it was read, again and again; it is not stored. Log a copy of it, "
            "or log it when it is finished. (What only grows can be logged at any time.)"
        )


@contextmanager
def opened(files: Sequence[LocalFile], problems: Problems) -> Iterator[list[Source]]:
    """Open and hash files, and close them at the end; those that cannot be read are noted and left out."""
    descriptors: list[int] = []
    sources = []
    try:
        for file in files:
            try:
                descriptors.append(open_whole(file.source))
                sources.append(Source(file, descriptors[-1]))
            except OSError as error:
                problems.add(unreadable(file.source, error), file.source)
        yield sources
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def unreadable(path: Path, error: OSError) -> StepwellException:
    """Return the error for what cannot be read."""
    return invalid(f"{path} cannot be read: {error.strerror or error}.")


def open_whole(path: Path) -> int:
    """Return a descriptor of a file that has as many bytes as `fstat` says; more may come behind them.

    Files of /proc and /sys say 0, or 4,096, whatever they have: of them it is a copy.

    Raises:
        OSError: it cannot be read, or be copied.
        StepwellException: it is no file, or has too much to be copied.
    """
    # Not blocking: opening a named pipe waits for somebody who writes.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise invalid(f"{path} is not a file; only files and folders can be artifacts.")
        whole = os.dup(descriptor) if _tells_its_size(descriptor) else _copied(path, descriptor)
    finally:
        os.close(descriptor)
    return whole


def _tells_its_size(descriptor: int) -> bool:
    found = os.fstat(descriptor)
    if found.st_blocks:
        return True
    if found.st_size:
        return bool(os.pread(descriptor, 1, found.st_size - 1))
    return not os.pread(descriptor, 1, 0)


def _copied(path: Path, descriptor: int) -> int:
    with tempfile.TemporaryFile(buffering=0) as copy:
        while piece := os.read(descriptor, SMALL_FILE_BYTES_MAX):
            copy.write(piece)
            if copy.tell() > UNTOLD_BYTES_MAX:
                raise invalid(f"{path} does not tell its size, and has more than {UNTOLD_BYTES_MAX} bytes.")
        copy.seek(0)
        return os.dup(copy.fileno())


def _state(descriptor: int) -> tuple[int, int]:
    found = os.fstat(descriptor)
    return found.st_size, found.st_mtime_ns
