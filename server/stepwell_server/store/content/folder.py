"""Content in a folder.

    <root>/content/<key>     whole files, never changed
    <root>/unfinished/<key>  what is on its way; `/` in the key is `-` here

A file is written under `unfinished`, flushed to the disk, and then moved, which is atomic. What writes a file holds a
lock on it (flock), so that two calls never write one file.
"""

import asyncio
import errno
import fcntl
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from stepwell_server.errors import BusyError, InvalidArgumentError, NotFoundError, UnavailableError
from stepwell_server.model.artifacts import MIB, FileSpec, Piece, Room
from stepwell_server.store.content.disk import (
    CONTENT,
    FILE_MODE,
    FOLDER_MODE,
    UNFINISHED,
    Disk,
    flush_folder,
    look_anew,
)
from stepwell_server.store.content.one_writer import OneWriter
from stepwell_server.store.content.sequential_file import SequentialFile

T = TypeVar("T")

# Larger pieces are no faster, and gRPC holds several of them: 2 MiB cost 40 MB more memory.
READ_BYTES_MAX = MIB // 2
# The disk reads so far ahead; by itself Linux takes steps of 128 KiB, at less than half the speed.
AHEAD_BYTES = 2 * MIB
# How often a file on its way looks whether the disk has room for more.
LOOK_BYTES = MIB
# Disks flush many files at once better than one after the other.
FLUSHES_AT_ONCE = 32


class FolderContentStore:
    """Implements `artifact_ports.ContentStore`. Call `close` at the end."""

    direct = None
    # With half of it, a disk that is written past the page cache is a third slower.
    piece_bytes = 2 * MIB

    def __init__(self, root: Path, disk_reserve_bytes: int = 0, mark: Path | None = None) -> None:
        """`mark` is a file that is there as long as the folder is mounted, if there is one."""
        self._disk = Disk(root, disk_reserve_bytes, mark)
        self._content = root / CONTENT
        self._unfinished = root / UNFINISHED
        self._threads = ThreadPoolExecutor(FLUSHES_AT_ONCE, "stepwell-artifacts")
        self._writers = OneWriter()
        # What servers before 0.2 made is open to others; below a folder that is not, its files are closed, too.
        for folder in (self._content, self._unfinished):
            with suppress(OSError):  # not there yet, or another's
                folder.chmod(FOLDER_MODE)

    def close(self) -> None:
        """Wait for what is under way."""
        self._threads.shutdown()

    async def room(self) -> Room | None:
        """See `artifact_ports.ContentStore`."""
        return await self._run(lambda: Room(self._disk.free_bytes(), _bytes_in(self._unfinished)))

    async def held_bytes(self, key: str, file: FileSpec) -> int:
        """See `artifact_ports.ContentStore`."""
        return await self._run(lambda: _size(self._path(key)) or _size(self._temporary(key)) or 0)

    async def write(self, key: str, offset: int, pieces: AsyncIterator[Piece], file: FileSpec) -> None:
        """See `artifact_ports.ContentStore`."""
        if await self.size_bytes(key) is not None:
            return  # a repeat, after an answer that was lost
        async with self._writers.of(key):
            await self._write(key, offset, pieces, file)

    async def receive(
        self, key: str, pieces: AsyncIterator[Piece], size_bytes: int | None
    ) -> tuple[int, bytes]:
        """See `artifact_ports.ContentStore`."""
        writing = await self._run(lambda: _Writing(self._temporary(key), None, 0, self._disk))
        try:
            await self._fill(writing, key, pieces)
        except BaseException:
            await _ended(self._begin(self._unlink, key))
            raise
        return writing.written

    async def _write(self, key: str, offset: int, pieces: AsyncIterator[Piece], file: FileSpec) -> None:
        writing = await self._run(lambda: _Writing(self._temporary(key), file, offset, self._disk))
        await self._fill(writing, key, pieces)

    async def _fill(self, writing: "_Writing", key: str, pieces: AsyncIterator[Piece]) -> None:
        # While one piece is written, and hashed beside that, the next one arrives.
        under_way = [self._begin(writing.go_to_offset)]
        try:
            async for piece in pieces:
                await _done(under_way)
                under_way = [self._begin(step, piece) for step in (writing.add, writing.hash)]
            await _done(under_way)
            under_way = [self._begin(writing.finish, self._path(key))]
            await _done(under_way)
        finally:
            await _ended(*under_way)
            await _ended(self._begin(writing.close))

    async def write_small(self, files: Sequence[tuple[str, bytes]]) -> None:
        """See `artifact_ports.ContentStore`."""
        await asyncio.gather(*(self._begin(self._write_one, key, data) for key, data in files))
        folders = {self._path(key).parent for key, _ in files}
        await asyncio.gather(*(self._begin(flush_folder, folder) for folder in folders))

    async def verify(self, key: str, file: FileSpec) -> str:
        """See `artifact_ports.ContentStore`."""

        def read() -> str:
            try:
                descriptor = self._open(key)
            except FileNotFoundError:
                return "nothing is there"
            digest, count, buffer = hashlib.sha256(), 0, memoryview(bytearray(READ_BYTES_MAX))
            try:
                while read_bytes := os.preadv(descriptor, [buffer], count):
                    digest.update(buffer[:read_bytes])
                    count += read_bytes
            finally:
                os.close(descriptor)
            if count != file.size_bytes:
                return f"{count} bytes are there instead of {file.size_bytes}"
            return (
                ""
                if digest.digest() == file.sha256
                else f"the bytes there have the SHA-256 {digest.hexdigest()}"
            )

        return await self._run(read)

    async def size_bytes(self, key: str) -> int | None:
        """See `artifact_ports.ContentStore`."""
        return await self._run(lambda: self._size(key))

    async def read(self, key: str, offset: int) -> AsyncIterator[Piece]:
        """See `artifact_ports.ContentStore`."""
        descriptor = await self._run(lambda: self._open(key))
        left = os.fstat(descriptor).st_size - offset
        # Not new ones from the threads, because each thread would keep memory of its own.
        buffer, other = (memoryview(bytearray(min(READ_BYTES_MAX, left))) for _ in range(2))
        following = self._begin(_read_into, descriptor, buffer, offset)
        try:
            while left and (count := await asyncio.shield(following)):
                offset, left = offset + count, left - count
                if left:
                    following = self._begin(_read_into, descriptor, other, offset)
                yield buffer[:count]
                buffer, other = other, buffer
        finally:
            await _ended(following)
            os.close(descriptor)

    async def remove(self, key: str, multipart_id: str | None) -> None:
        """See `artifact_ports.ContentStore`."""
        await self._begin(self._unlink, key)

    def _size(self, key: str) -> int | None:
        size = _size(self._path(key))
        if size is None:
            self._disk.require_there()
        return size

    def _open(self, key: str) -> int:
        try:
            return _open_to_read(self._path(key))
        except FileNotFoundError:
            self._disk.require_there()
            raise

    def _unlink(self, key: str) -> None:
        self._disk.require_there()
        self._path(key).unlink(missing_ok=True)
        self._temporary(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._content / key

    def _temporary(self, key: str) -> Path:
        return self._unfinished / key.replace("/", "-")

    def _write_one(self, key: str, data: bytes) -> None:
        self._disk.require(len(data))
        temporary = self._temporary(key)
        with _opened_alone(temporary) as descriptor:
            os.ftruncate(descriptor, 0)
            _write_all(descriptor, data)
            os.fsync(descriptor)
            _move(temporary, self._path(key))

    def _begin(self, function: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: _translated(function, *arguments)
        )

    async def _run(self, function: Callable[[], T]) -> T:
        return await self._begin(function)


class _Writing:
    """One file on its way, at an offset; without a `file`, nothing is checked.

    For threads, one at a time, but that `hash` may go beside `add`.
    """

    def __init__(self, path: Path, file: FileSpec | None, offset: int, disk: Disk) -> None:
        self._disk = disk
        self._looked_at = -LOOK_BYTES
        self._path = path
        self._file = file
        self._lock = _opened_alone(path)
        self._descriptor = self._lock.__enter__()
        self._offset = offset
        self._hash = hashlib.sha256()
        self._target: SequentialFile | None = None

    @property
    def written(self) -> tuple[int, bytes]:
        """How many bytes there are, and their SHA-256."""
        return self._offset, self._hash.digest()

    def go_to_offset(self) -> None:
        """Hash what is held before the offset, and forget what is behind it."""
        held = os.fstat(self._descriptor).st_size
        if not 0 <= self._offset <= held:
            raise InvalidArgumentError(
                f"the upload holds {held} bytes; it cannot go on at offset {self._offset}"
            )
        os.ftruncate(self._descriptor, self._offset)
        while piece := os.read(self._descriptor, READ_BYTES_MAX):
            self._hash.update(piece)
        self._target = SequentialFile(self._descriptor, self._offset)

    def hash(self, piece: Piece) -> None:
        """Hash the next bytes."""
        self._hash.update(piece)

    def add(self, piece: Piece) -> None:
        """Write the next bytes."""
        self._offset += len(piece)
        if self._file is not None and self._offset > self._file.size_bytes:
            self._path.unlink()
            raise InvalidArgumentError(
                f"{self._file.path!r} was announced with {self._file.size_bytes} bytes, but more were sent"
            )
        if self._offset - self._looked_at >= LOOK_BYTES:
            self._disk.require(len(piece) + LOOK_BYTES)
            self._looked_at = self._offset
        assert self._target is not None
        self._target.write(piece)

    def finish(self, final: Path) -> None:
        """Check the whole and move it to where it stays, flushed to the disk."""
        if self._file is not None:
            self._check(self._file)
        assert self._target is not None
        self._target.flush()
        _move(self._path, final)
        flush_folder(final.parent)

    def _check(self, file: FileSpec) -> None:
        if self._offset < file.size_bytes:
            raise InvalidArgumentError(
                f"{file.path!r} has {file.size_bytes} bytes, but the upload ended after {self._offset}"
            )
        if self._hash.digest() != file.sha256:
            self._path.unlink()
            raise InvalidArgumentError(wrong_hash(file, self._hash.hexdigest()))

    def close(self) -> None:
        """Keep what arrived, for who goes on with it, and give the file back."""
        try:
            if self._target is not None:
                self._target.write_rest()
        finally:
            self._lock.__exit__(None, None, None)


async def _done(steps: Sequence[asyncio.Future[None]]) -> None:
    """Wait for steps, which go on if nobody waits any more; raises what the first one raised that failed."""
    finished, _ = await asyncio.wait(steps, return_when=asyncio.FIRST_EXCEPTION)
    for step in finished:
        step.result()


async def _ended(*steps: asyncio.Future[Any]) -> None:
    """Wait until no thread uses the file any more, whatever came of it."""
    await asyncio.gather(*steps, return_exceptions=True)


def wrong_hash(file: FileSpec, found: str) -> str:
    """Return the message for bytes that are not what was announced."""
    return (
        f"the bytes of {file.path!r} have the SHA-256 {found}, announced was {file.sha256.hex()}: "
        "the file changed while it was sent; log it again"
    )


@contextmanager
def _opened_alone(path: Path) -> Iterator[int]:
    """Open a file, made if it is missing, under a lock; yields the descriptor."""
    _make_folder(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError("another call writes this upload; try again when it has ended") from None
        yield descriptor
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _move(temporary: Path, final: Path) -> None:
    if not final.parent.is_dir():
        _make_folder(final.parent)
        flush_folder(final.parent.parent)
    try:
        temporary.replace(final)
    except FileNotFoundError:
        # NFS asks again when an answer was lost, and is told that what it has moved is gone.
        if _size(final) is None:
            raise


def _make_folder(folder: Path) -> None:
    """Make a folder of the store for this user alone; those around the store are as usual."""
    if folder.is_dir():
        return
    if folder.name in (CONTENT, UNFINISHED):
        folder.parents[1].mkdir(parents=True, exist_ok=True)
        folder.parent.mkdir(FOLDER_MODE, exist_ok=True)
    else:
        _make_folder(folder.parent)
    folder.mkdir(FOLDER_MODE, exist_ok=True)


def _open_to_read(path: Path) -> int:
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        look_anew(path.parent)
        return os.open(path, flags)


def _read_into(descriptor: int, buffer: memoryview, offset: int) -> int:
    """Read what is at an offset, and let the disk begin with what comes behind it, in larger steps than by itself."""
    if offset % AHEAD_BYTES < len(buffer) and hasattr(os, "posix_fadvise"):  # macOS has it not
        os.posix_fadvise(descriptor, offset + len(buffer), 2 * AHEAD_BYTES, os.POSIX_FADV_WILLNEED)
    return os.preadv(descriptor, [buffer], offset)


def _bytes_in(folder: Path) -> int:
    """Return how many bytes the files of a folder have on the disk."""
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        return sum(entry.stat(follow_symlinks=False).st_blocks * 512 for entry in entries)
    return 0


def _size(path: Path) -> int | None:
    with suppress(FileNotFoundError):
        return path.stat().st_size
    look_anew(path.parent)
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return None


def _translated(function: Callable[..., T], *arguments: Any) -> T:
    """Call a function and turn what the file system raises into errors of the domain."""
    try:
        return function(*arguments)
    except FileNotFoundError as error:
        raise NotFoundError("the content is not in the artifact folder any more") from error
    except OSError as error:
        hint = "; make room or choose another folder with --artifacts" if error.errno == errno.ENOSPC else ""
        raise UnavailableError(f"the artifact folder cannot do it now: {error.strerror}{hint}") from error
