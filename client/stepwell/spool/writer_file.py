"""`writer.json`: whose log a spool is, for which server, and how to create the run."""

import json
import os
import socket
import time
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stepwell.errors import StepwellException
from stepwell.spool import safe_files
from stepwell.spool.safe_files import FILE_MODE
from stepwell.spool.segment_files import POSITION_MAX

# 1: records were written once, names were not numbered, and nothing checked this file. Both are read.
FORMAT = 2
WRITER_FILE = "writer.json"
# It has the run's tags and description, in hexadecimal.
WRITER_FILE_BYTES_MAX = 4 * 2**20

_TYPES = {"format": int, "process_id": int, "created_ms": int, "first_position": int}


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

    @property
    def open_message(self) -> bytes:
        """The encoded `OpenWriter` message."""
        return bytes.fromhex(self.open_writer)


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


def write_writer(folder: Path, writer: WriterFile, name: str = WRITER_FILE) -> None:
    """Write it into the folder of a new spool."""
    fields = asdict(writer)
    text = json.dumps({**fields, "checksum": _checksum(fields)}, indent=1)
    descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def rewrite_writer(folder: Path, writer: WriterFile) -> None:
    """Replace, in one step, what a spool of this process says about its writer."""
    replacement = folder / f".{WRITER_FILE}"
    replacement.unlink(missing_ok=True)
    write_writer(folder, writer, replacement.name)
    replacement.rename(folder / WRITER_FILE)


def read_writer(folder: Path) -> WriterFile:
    """Return what a spool says about its writer.

    Raises:
        StepwellException: it is not there, damaged, not safe to open, or of a newer version than this one.
    """
    try:
        return _parsed(folder, safe_files.read_in(folder, WRITER_FILE, WRITER_FILE_BYTES_MAX + 1))
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        reason = str(error) if isinstance(error, OSError) else f"{WRITER_FILE} is damaged, {error!r}"
        raise StepwellException(f"The spool {folder} cannot be read: {reason}", "INVALID_STATE") from error


def _parsed(folder: Path, data: bytes) -> WriterFile:
    if len(data) > WRITER_FILE_BYTES_MAX:
        raise ValueError(f"it is longer than {WRITER_FILE_BYTES_MAX} bytes")
    found: dict[str, Any] = json.loads(data)
    number = found["format"]
    if type(number) is int and number > FORMAT:
        raise StepwellException(
            f"The spool {folder} has format {number}; this version of Stepwell reads formats up to "
            f"{FORMAT}. Deliver it with the version that wrote it, or a newer one.",
            "NOT_IMPLEMENTED",
        )
    if number == 1:
        found.setdefault("first_position", 0)
    fields = {name: found[name] for name in WriterFile.__dataclass_fields__}
    for name, value in fields.items():
        if type(value) is not _TYPES.get(name, str):
            raise TypeError(f"{name} is {value!r}")
    if number != 1 and found["checksum"] != _checksum(fields):
        raise ValueError("its checksum is wrong")
    writer = WriterFile(**fields)
    if number < 1 or not writer.open_message or not 0 <= writer.first_position <= POSITION_MAX:
        raise ValueError("it describes no writer")
    return writer


def _checksum(fields: dict[str, Any]) -> str:
    """The checksum of what the file says, whatever the order and the spaces."""
    return f"{zlib.crc32(json.dumps(fields, sort_keys=True).encode()):08x}"
