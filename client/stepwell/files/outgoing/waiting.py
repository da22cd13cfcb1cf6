"""One artifact that waits: its note, and the bytes beside it.

    <number>.json   where it goes: see `Entry`; written last, so what has it is whole
    <number>.data   the bytes: a copy, because the caller may change the file

Somebody else may have put files there, so both are regular files of this user, and of nobody else to write, or they are
not read; and what is read is what was written, or it is not sent.
"""

import os
import secrets
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_type_hints

from stepwell.files.local import open_whole
from stepwell.spool import checked_json, safe_files
from stepwell.spool.safe_files import FILE_MODE, FOLDER_MODE

# 1: neither the note nor the bytes can be checked. 2: without `kind`. All are read.
VERSION = 3
NOTE_BYTES_MAX = 2**20
COPY_PIECE_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Entry:
    """One artifact that waits; `reason` says why the server refused it, when it did."""

    run_id: str
    path: str
    tracking_uri: str
    logged_time_ms: int
    version: int = VERSION
    reason: str = ""
    are_rows: bool = False  # they go below those of the table that is at the path
    call_id: str = ""  # of what logged the rows; see `tables.add_rows`
    size_bytes: int = -1
    crc32: int = -1
    kind: str = ""  # of what is no file: see model_boxes.py


_TYPES = get_type_hints(Entry)


def store(
    folder: Path,
    source: Path,
    run_id: str,
    path: str,
    uri: str,
    *,
    call_id: str = "",
    kind: str = "",
    number_ns: int | None = None,
) -> None:
    """Copy a file into the folder of a run, flushed to the disk, as it is now; with the id of a call it is rows.

    `number_ns` says where it stands among the others: by the clock, unless given.

    Raises:
        OSError: there is no room, or the folder is not safe.
    """
    folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
    safe_files.check_folder(folder)
    number_ns = time.time_ns() if number_ns is None else number_ns
    data = folder / f"{number_ns:020}-{secrets.token_hex(4)}.data"
    try:
        size_bytes, crc32 = _copy(source, data)
        entry = Entry(
            run_id,
            path,
            uri,
            time.time_ns() // 1_000_000,
            are_rows=bool(call_id),
            call_id=call_id,
            size_bytes=size_bytes,
            crc32=crc32,
            kind=kind,
        )
        write_note(data.with_suffix(".json"), entry)
    except BaseException:
        data.unlink(missing_ok=True)
        raise


def notes(folder: Path) -> list[Path]:
    """Return the notes of what waits in the folder of a run, in the order of logging; none where it is no folder."""
    try:
        return sorted(folder / name for name in os.listdir(folder) if name.endswith(".json"))  # noqa: PTH208
    except OSError:
        return []


def read_note(note: Path) -> Entry:
    """Return what a note says.

    Raises:
        ValueError: it is damaged, or of a newer version.
        OSError: it cannot be opened, or is not safe to open.
    """
    found = checked_json.read(note.parent, note.name, NOTE_BYTES_MAX)
    version = found.get("version")
    if type(version) is int and version > VERSION:
        raise ValueError(f"{note.name} has version {version}; this version of Stepwell reads up to {VERSION}")
    if version == 2:
        found = {"kind": "", **found}
    if version == 1:
        found = {
            "kind": "",
            "size_bytes": -1,
            "crc32": -1,
            "are_rows": False,
            "reason": "",
            "call_id": "",
            **found,
        }
    return Entry(**checked_json.typed(note.name, found, _TYPES, checked=version != 1))


def write_note(note: Path, entry: Entry) -> None:
    """Write a note, in one step."""
    temporary = note.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    checked_json.write(temporary, asdict(entry), flush=True)
    temporary.replace(note)
    _flush(note.parent)


@contextmanager
def opened(note: Path, entry: Entry) -> Iterator[Path]:
    """Yield a path to the bytes of an artifact, which stay the ones that were checked.

    Raises:
        ValueError: they are not what was written.
        OSError: they cannot be opened, or are not safe to open.
    """
    name = note.with_suffix(".data").name
    with safe_files.pinned(note.parent, name) as data:
        if entry.version > 1 and _measure(data) != (entry.size_bytes, entry.crc32):
            raise ValueError(f"{name} is damaged: it is not what was logged")
        yield data


def _measure(data: Path) -> tuple[int, int]:
    size = crc32 = 0
    with data.open("rb", buffering=0) as file:
        while piece := file.read(COPY_PIECE_BYTES):
            size, crc32 = size + len(piece), zlib.crc32(piece, crc32)
        file.seek(0)  # who opens it again may share where it stands
    return size, crc32


def _copy(source: Path, data: Path) -> tuple[int, int]:
    """Copy what a file has now, not what is added meanwhile; returns its size and checksum."""
    size = crc32 = 0
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with (
        os.fdopen(open_whole(source), "rb", buffering=0) as file,
        os.fdopen(os.open(data, flags, FILE_MODE), "wb") as copy,
    ):
        end = os.fstat(file.fileno()).st_size
        while piece := file.read(min(COPY_PIECE_BYTES, end - size)):
            copy.write(piece)
            size, crc32 = size + len(piece), zlib.crc32(piece, crc32)
        copy.flush()
        os.fsync(copy.fileno())
    return size, crc32


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
