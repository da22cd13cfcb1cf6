"""The folder of one writer's spool: who may use it, and what it says about its writer.

.stepwell/                     STEPWELL_SPOOL_DIR
    <writer id>/
        writer.json            whose log this is, and where it goes
        lock                   held as long as its process lives
        ended                  there when nothing more will come
        names points2-* log-*  see README.md
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from stepwell.spool import places, safe_files
from stepwell.spool.writer_file import WRITER_FILE, WriterFile, write_writer

LOCK_FILE = "lock"
ENDED_FILE = "ended"

# Locks of this process by folder. A forked child closes its copies, or they would outlive the parent.
_held: dict[Path, int] = {}


def create(writer: WriterFile) -> Path:
    """Make and lock the folder of a new spool.

    It is complete when it gets its name, so that nobody ever sees one without its writer.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when STEPWELL_SPOOL_DIR cannot be used.
        OSError: there is no room; nothing of it stays.
    """
    try:
        unfinished = _unfinished(places.to_write_again(), writer.writer_id)
    except OSError:  # it was removed, or is not to be written any more
        unfinished = _unfinished(places.to_write(), writer.writer_id)
    folder = unfinished.with_name(writer.writer_id)
    try:
        write_writer(unfinished, writer)
        descriptor = _lock(unfinished)
        assert descriptor is not None
        unfinished.rename(folder)
    except OSError:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    _held[folder] = descriptor
    return folder


def _unfinished(root: Path, writer_id: str) -> Path:
    folder = root / f".new-{writer_id}"
    folder.mkdir(safe_files.FOLDER_MODE)
    return folder


def adopt(folder: Path) -> bool:
    """Take the lock of a spool whose process is gone; tells whether this process has it now."""
    if folder in _held:
        return False
    try:
        descriptor = _lock(folder)
    except OSError:
        return False
    if descriptor is None:
        return False
    if not is_spool(folder):  # removed by its last owner in this moment
        os.close(descriptor)
        return False
    _held[folder] = descriptor
    return True


def is_locked(folder: Path) -> bool:
    """Tell whether the process that writes a spool still lives, as far as its lock reaches."""
    try:
        descriptor = _lock(folder)
    except OSError:
        return False
    if descriptor is None:
        return True
    os.close(descriptor)
    return False


def mark_ended(folder: Path) -> None:
    """Write down that nothing more will come, for readers on other machines."""
    (folder / ENDED_FILE).touch(safe_files.FILE_MODE)


def is_ended(folder: Path) -> bool:
    """Tell whether the writer has said that nothing more will come."""
    return (folder / ENDED_FILE).exists()


def last_change_s(folder: Path) -> float:
    """When anything in a spool changed last, in seconds since the epoch."""
    entries = os.scandir(folder)
    return max((entry.stat(follow_symlinks=False).st_mtime for entry in entries), default=0.0)


def release(folder: Path) -> None:
    """Give back the lock of a spool."""
    descriptor = _held.pop(folder, None)
    if descriptor is not None:
        os.close(descriptor)


def remove(folder: Path) -> None:
    """Delete a spool that this process holds; everything in it is delivered."""
    # First its description: an interrupted removal leaves nothing that looks like a spool.
    (folder / WRITER_FILE).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    release(folder)


def spools(root: Path) -> Iterator[Path]:
    """Yield the folders of all spools below `root`, oldest first; none where there is no such folder.

    Raises:
        UnsafeFileError: the folder is not this user's own.
    """
    found = []
    if not os.path.lexists(root):
        return
    safe_files.check_folder(root)
    for folder in root.iterdir():
        if folder.name.startswith("."):  # about to be made
            continue
        try:
            found.append(((folder / WRITER_FILE).lstat().st_mtime, folder))
        except OSError:
            continue
    yield from (folder for _, folder in sorted(found))


def is_spool(folder: Path) -> bool:
    """Tell whether there is a spool, readable or not: one that is removed loses its description first."""
    return os.path.lexists(folder / WRITER_FILE)


def is_held_here(folder: Path) -> bool:
    """Tell whether this process holds the spool."""
    return folder in _held


def _lock(folder: Path) -> int | None:
    with safe_files.opened_folder(folder) as opened:
        descriptor = safe_files.open_lock(opened, LOCK_FILE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _close_in_child() -> None:
    for descriptor in _held.values():
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_close_in_child)
