"""Marks: a random id in a folder and in the database, by which servers know that they see the same folder.

    <folder>/stepwell-place     32 hexadecimal digits, made by the first server that uses the folder

A folder that is not mounted looks like an empty one; without the mark, a server would go on in what lies below the
mount point. The same mark below another path is the same folder: then the root is the one that the database knows.
"""

import asyncio
import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import UUID, uuid4

from stepwell_server.errors import UnavailableError
from stepwell_server.store import sql
from stepwell_server.store.content.disk import CONTENT, FILE_MODE, FOLDER_MODE, flush_folder
from stepwell_server.store.postgres.pool import Pool

MARK_FILE = "stepwell-place"
# What has no hard links: then the one that moves its mark there last has made it.
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})

_QUERIES = sql.load("marks")


class FolderMarks:
    """Compares the marks of folders with those that the database knows."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def root_of(self, root: str, folder: Path, *, makes: bool = True) -> str:
        """Return the root by which the servers of this database know a folder; marks it, if it has never been used.

        Args:
            root: the one that this server would give it.
            folder: where its mark lies.
            makes: whether it may be a new one; else it has to be there, with content in it.

        Raises:
            UnavailableError: the root is known, and this is another folder; or it cannot be read or written.
        """
        noted = await self._noted(root)
        found = await _on_disk(_read, folder)
        if found is None and noted is None:
            found = await _on_disk(_make if makes else _adopt, folder)
        if noted is None and found is not None:
            async with self._pool.connection() as connection:
                known: str = await connection.fetchval(_QUERIES["note"], root, found)
            if known is not None:
                return known
            noted = await self._noted(root)  # another server has marked another folder meanwhile
        if noted != found:
            raise UnavailableError(_other_folder(folder, found, noted))
        return root

    async def _noted(self, root: str) -> UUID | None:
        async with self._pool.connection() as connection:
            mark = await connection.fetchval(_QUERIES["mark"], root)
        return None if mark is None else UUID(int=mark.int)


def _other_folder(folder: Path, found: UUID | None, noted: UUID | None) -> str:
    theirs = noted.hex if noted else ""
    seen = f"says {found.hex}" if found else "is missing"
    return (
        f"{folder} is not the folder that the servers of this database use for artifacts: the file {MARK_FILE} in it "
        f"{seen}, theirs says {theirs}. Mount the same folder on all of them. If this one has taken the place of the "
        f"other with all its files: echo {theirs} > {folder / MARK_FILE}"
    )


async def _on_disk(work: Callable[[Path], UUID | None], folder: Path) -> UUID | None:
    try:
        return await asyncio.to_thread(work, folder)
    except OSError as error:
        raise UnavailableError(
            f"the artifact folder {folder} cannot be used: {error.strerror or error}; it has to be there, and this "
            "server's user has to own it or to be allowed to write in it"
        ) from error


def _read(folder: Path) -> UUID | None:
    """Return the mark of a folder; None where there is none."""
    try:
        text = (folder / MARK_FILE).read_text("ascii", "replace").strip()
    except FileNotFoundError:
        return None
    try:
        return UUID(hex=text)
    except ValueError:
        raise OSError(errno.EINVAL, f"{MARK_FILE} has no id of 32 hexadecimal digits") from None


def _adopt(folder: Path) -> UUID | None:
    """Mark a folder that is older than marks."""
    if not (folder / CONTENT).is_dir():
        raise FileNotFoundError(errno.ENOENT, f"there is no folder {CONTENT} in it")
    return _make(folder)


def _make(folder: Path) -> UUID | None:
    """Mark a folder, made if it is missing, and return the mark, which may be that of a server that was faster."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(FOLDER_MODE, exist_ok=True)
    mark = uuid4()
    mine = folder / f"{MARK_FILE}-{mark.hex}"
    descriptor = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    try:
        os.write(descriptor, f"{mark.hex}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        with suppress(FileExistsError):
            os.link(mine, folder / MARK_FILE)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        mine.replace(folder / MARK_FILE)
    mine.unlink(missing_ok=True)
    flush_folder(folder)
    return _read(folder)
