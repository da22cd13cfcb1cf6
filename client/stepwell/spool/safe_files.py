"""Opens what lies in a folder that somebody else may have prepared: a cloned repository, an archive, a shared disk.

What is read from there is sent to a server, so nothing is followed to another place: the folder belongs to this user
and nobody else may write it (a group that has no other member may), the same for each file, and a file is a regular
one. A symbolic link, a device or a pipe is an UnsafeFileError, which names it and says what would be right; so is a
file that has a second name elsewhere, where `alone` is asked for.
"""

import contextlib
import grp
import os
import pwd
import stat
from collections.abc import Iterator
from functools import cache
from pathlib import Path

FOLDER_MODE = 0o700
FILE_MODE = 0o600

# A pipe without a writer, or a device, must not keep who opens it waiting.
_NO_DETOUR = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFDIR: "a folder",
    stat.S_IFREG: "a file",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class UnsafeFileError(OSError):
    """What lies there is not read, because it may be somebody else's doing."""


@contextlib.contextmanager
def opened_folder(folder: Path, *, below: int | None = None) -> Iterator[int]:
    """Yield the descriptor of a folder that is this user's own; `below` is that of the folder its name is relative to.

    Raises:
        UnsafeFileError: it is a link, or no folder, or somebody else owns it or may write it.
        OSError: it cannot be opened.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | _NO_DETOUR, dir_fd=below)
    except OSError as error:
        _explain(folder, below, stat.S_IFDIR)
        raise error
    try:
        _check_owner(folder, os.fstat(descriptor))
        yield descriptor
    finally:
        os.close(descriptor)


def open_below(descriptor: int, name: str, *, alone: bool = False) -> int:
    """Open a regular file of this user for reading, by its name in an open folder; returns its descriptor.

    Raises:
        UnsafeFileError: it is something else, somebody else owns it or may write it, or, with `alone`, it has a second
            name (a hard link).
        OSError: it cannot be opened.
    """
    try:
        file = os.open(name, os.O_RDONLY | _NO_DETOUR, dir_fd=descriptor)
    except OSError as error:
        _explain(Path(name), descriptor, stat.S_IFREG)
        raise error
    try:
        status = os.fstat(file)
        _check_kind(Path(name), status, stat.S_IFREG)
        _check_owner(Path(name), status)
        if alone and status.st_nlink > 1:
            raise UnsafeFileError(
                f"{name} has a second name elsewhere (a hard link); make a copy of its own of it"
            )
    except BaseException:
        os.close(file)
        raise
    return file


def open_lock(descriptor: int, name: str) -> int:
    """Open a file for locking, made if it is missing, by its name in an open folder; errors as for `open_below`."""
    file = os.open(name, os.O_RDWR | os.O_CREAT | _NO_DETOUR, FILE_MODE, dir_fd=descriptor)
    try:
        _check_kind(Path(name), os.fstat(file), stat.S_IFREG)
    except BaseException:
        os.close(file)
        raise
    return file


def open_in(folder: Path, name: str) -> int:
    """Open a regular file in a folder, both this user's, for reading; errors as of the two above."""
    with opened_folder(folder) as descriptor:
        return open_below(descriptor, name)


@contextlib.contextmanager
def pinned(folder: Path, name: str) -> Iterator[Path]:
    """Yield a path to a file that stays the one that was checked, whatever happens to its name meanwhile.

    Raises:
        UnsafeFileError, OSError: as `open_below`, for a file that is `alone`.
    """
    with opened_folder(folder) as descriptor:
        file = open_below(descriptor, name, alone=True)
    try:
        yield Path(f"/dev/fd/{file}")
    finally:
        os.close(file)


def read_in(folder: Path, name: str, bytes_max: int) -> bytes:
    """Return what is in a file, at most so many bytes; errors as for `open_in`."""
    with os.fdopen(open_in(folder, name), "rb") as file:
        return file.read(bytes_max)


def check_folder(folder: Path) -> None:
    """Raise what `opened_folder` does."""
    with opened_folder(folder):
        pass


def _check_kind(path: Path, status: os.stat_result, wanted: int) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind != wanted:
        raise UnsafeFileError(f"{path} is {_KINDS.get(kind, 'something else')}, not {_KINDS[wanted]}")


def _check_owner(path: Path, status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        raise UnsafeFileError(f"{path} belongs to user {status.st_uid}, not to this one ({os.geteuid()})")
    by_group = status.st_mode & stat.S_IWGRP and not _is_own_group(status.st_gid)
    if status.st_mode & stat.S_IWOTH or by_group:
        mode = stat.S_IMODE(status.st_mode)
        raise UnsafeFileError(
            f"others may write {path} (mode {mode:04o}); if you trust what is in it: chmod -R go-w {path}"
        )


@cache
def _is_own_group(group_id: int) -> bool:
    """Tell whether a group is this user's alone, as many systems give each user one, and then let groups write."""
    try:
        user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(group_id)
    except KeyError:
        return False
    return (user.pw_gid, user.pw_name) == (group_id, group.gr_name) and set(group.gr_mem) <= {user.pw_name}


def _explain(path: Path, below: int | None, wanted: int) -> None:
    """Say why something could not be opened, where that is because of what it is."""
    with contextlib.suppress(FileNotFoundError):
        _check_kind(path, os.stat(path, dir_fd=below, follow_symlinks=False), wanted)
