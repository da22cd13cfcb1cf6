"""The folder of one writer's spool: who may use it, and what it says about its writer.

.stepwell/                     STEPWELL_SPOOL_DIR
    <writer id>/
        writer.json            whose log this is, and where it goes
        lock                   held as long as its process lives
        ended                  there when nothing more will come
        names points-* log-*   see README.md
"""

import fcntl
import json
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from logging import getLogger
from pathlib import Path
from typing import Any

from stepwell import settings
from stepwell.errors import StepwellException

FORMAT = 1
WRITER_FILE = "writer.json"
LOCK_FILE = "lock"
ENDED_FILE = "ended"
WRITER_FILE_BYTES_MAX = 4 * 2**20

_log = getLogger("stepwell")
# Locks of this process by folder. A forked child closes its copies, or they would outlive the parent.
_held: dict[Path, int] = {}


@dataclass(frozen=True, slots=True)
class WriterFile:
    """What a spool says about its writer.

    `open_writer` is an encoded `OpenWriter` message in hexadecimal digits: all that the server needs to take the log,
    also to create the run, and the secret by which it knows the writer: so the file is for its owner alone. What lies
    below `first_position` was written under another writer's name.
    """

    tracking_uri: str
    run_id: str
    writer_id: str
    run_name: str
    open_writer: str
    host: str
    process_id: int
    created_ms: int
    format: int = FORMAT
    first_position: int = 0


def describe_writer(
    tracking_uri: str, run_id: str, writer_id: str, run_name: str, open_writer: bytes
) -> WriterFile:
    """Return what a new spool of this process says."""
    return WriterFile(
        tracking_uri,
        run_id,
        writer_id,
        run_name,
        open_writer.hex(),
        socket.gethostname(),
        os.getpid(),
        time.time_ns() // 1_000_000,
    )


def create(writer: WriterFile) -> Path:
    """Make and lock the folder of a new spool.

    It is complete when it gets its name, so that nobody ever sees one without its writer.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when STEPWELL_SPOOL_DIR cannot be written.
    """
    root = _writable_root()
    folder = root / writer.writer_id
    unfinished = Path(tempfile.mkdtemp(prefix=".new-", dir=root))
    _write(unfinished / WRITER_FILE, writer)
    descriptor = _lock(unfinished)
    assert descriptor is not None
    unfinished.rename(folder)
    _held[folder] = descriptor
    return folder


def rewrite(folder: Path, writer: WriterFile) -> None:
    """Replace, in one step, what a spool of this process says about its writer."""
    replacement = folder / f".{WRITER_FILE}"
    replacement.unlink(missing_ok=True)
    _write(replacement, writer)
    replacement.rename(folder / WRITER_FILE)


def _write(path: Path, writer: WriterFile) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(json.dumps(asdict(writer), indent=1))


def read_writer(folder: Path) -> WriterFile:
    """Return what a spool says about its writer.

    Raises:
        StepwellException: it is not there, damaged, or of a newer version than this one.
    """
    try:
        with (folder / WRITER_FILE).open(encoding="utf-8") as file:
            found: dict[str, Any] = json.loads(file.read(WRITER_FILE_BYTES_MAX))
        if found["format"] > FORMAT:
            raise StepwellException(
                f"The spool {folder} has format {found['format']}; this version of Stepwell reads formats up to "
                f"{FORMAT}. Deliver it with the version that wrote it, or a newer one.",
                "NOT_IMPLEMENTED",
            )
        found.setdefault("first_position", 0)  # not there in those of version 0.1
        return WriterFile(**{name: found[name] for name in WriterFile.__dataclass_fields__})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StepwellException(f"The spool {folder} cannot be read: {error!r}", "INVALID_STATE") from error


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
    if not (folder / WRITER_FILE).exists():  # removed by its last owner in this moment
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
    (folder / ENDED_FILE).touch()


def is_ended(folder: Path) -> bool:
    """Tell whether the writer has said that nothing more will come."""
    return (folder / ENDED_FILE).exists()


def last_change_s(folder: Path) -> float:
    """When anything in a spool changed last, in seconds since the epoch."""
    return max((entry.stat().st_mtime for entry in os.scandir(folder)), default=0.0)


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
    """Yield the folders of all spools below `root`, oldest first."""
    found = []
    for folder in root.iterdir() if root.is_dir() else ():
        if folder.name.startswith("."):  # about to be made
            continue
        try:
            found.append(((folder / WRITER_FILE).stat().st_mtime, folder))
        except OSError:
            continue
    yield from (folder for _, folder in sorted(found))


def is_spool(folder: Path) -> bool:
    """Tell whether there is a spool, readable or not: one that is removed loses its description first."""
    return (folder / WRITER_FILE).exists()


def is_held_here(folder: Path) -> bool:
    """Tell whether this process holds the spool."""
    return folder in _held


def _lock(folder: Path) -> int | None:
    descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _writable_root() -> Path:
    """The folder of all spools; where nobody chose it and the usual place is read-only, one in the temporary folder."""
    chosen = settings.spool_dir()
    try:
        return _made(chosen or settings.SPOOL_DIR_DEFAULT)
    except OSError as error:
        if chosen is not None:
            raise StepwellException(
                f"STEPWELL_SPOOL_DIR is {str(chosen)!r}, which cannot be written: {error}. Name a folder that can.",
                "INVALID_PARAMETER_VALUE",
            ) from error
        instead = _made(Path(tempfile.gettempdir()) / f"stepwell-{os.getuid()}")
        _log.warning(
            "%s cannot be written; the spool is in %s. STEPWELL_SPOOL_DIR names another place.",
            error.filename,
            instead,
        )
        return instead


def _made(root: Path) -> Path:
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=root):
        return root.resolve()


def _close_in_child() -> None:
    for descriptor in _held.values():
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_close_in_child)
