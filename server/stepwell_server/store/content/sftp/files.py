"""What is done with files of an SFTP server, in as few requests as it takes: each waits for an answer."""

from collections.abc import Sequence
from contextlib import suppress

import asyncssh

from stepwell_server.store.content.disk import FILE_MODE, FOLDER_MODE
from stepwell_server.store.content.sftp.connections import MISSING


async def opened(
    sftp: asyncssh.SFTPClient, path: str, flags: int, block_size: int = -1
) -> "asyncssh.SFTPClientFile":
    """Open a file, for this user alone if it is new; its folder is made if it is missing."""
    try:
        return await sftp.open(path, flags, _attributes(FILE_MODE), encoding=None, block_size=block_size)
    except MISSING:
        await make_folder(sftp, path.rpartition("/")[0])
        return await sftp.open(path, flags, _attributes(FILE_MODE), encoding=None, block_size=block_size)


async def make_folder(sftp: asyncssh.SFTPClient, folder: str) -> None:
    """Make a folder for this user alone, with those around it, unless it is there."""
    try:
        await sftp.mkdir(folder, _attributes(FOLDER_MODE))
    except asyncssh.SFTPError:  # it is there, or those around it are not
        await sftp.makedirs(folder, _attributes(FOLDER_MODE), exist_ok=True)


async def forget(sftp: asyncssh.SFTPClient, path: str) -> None:
    """Remove a file. Nothing there is no error."""
    with suppress(*MISSING):
        await sftp.remove(path)


async def size_of(sftp: asyncssh.SFTPClient, path: str) -> int | None:
    """Return how large a file is; None where there is none."""
    try:
        return (await sftp.stat(path)).size or 0
    except MISSING:
        return None


async def listed(sftp: asyncssh.SFTPClient, folder: str) -> Sequence[tuple[str, int]]:
    """Return the paths of what lies in a folder, which may be missing, and sizes."""
    with suppress(*MISSING):
        return [
            (f"{folder}/{it.filename!s}", it.attrs.size or 0)
            async for it in sftp.scandir(folder)
            if it.filename not in (".", "..")
        ]
    return []


def _attributes(mode: int) -> asyncssh.SFTPAttrs:
    return asyncssh.SFTPAttrs(permissions=mode)
