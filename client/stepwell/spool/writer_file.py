"""`writer.json`: whose log a spool is, for which server, and how to create the run."""

import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from stepwell.errors import StepwellException
from stepwell.spool import checked_json
from stepwell.spool.segment_files import POSITION_MAX

# 1: records were written once, names were not numbered, and nothing checked this file. Both are read.
FORMAT = 2
WRITER_FILE = "writer.json"
# It has the run's tags and description, in hexadecimal.
WRITER_FILE_BYTES_MAX = 4 * 2**20


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


_TYPES = get_type_hints(WriterFile)


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
    checked_json.write(folder / name, {field: getattr(writer, field) for field in _TYPES}, flush=False)


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
        return _parsed(folder, checked_json.read(folder, WRITER_FILE, WRITER_FILE_BYTES_MAX))
    except (OSError, ValueError) as error:
        raise StepwellException(f"The spool {folder} cannot be read: {error}", "INVALID_STATE") from error


def _parsed(folder: Path, found: dict[str, Any]) -> WriterFile:
    number = found.get("format")
    if type(number) is int and number > FORMAT:
        raise StepwellException(
            f"The spool {folder} has format {number}; this version of Stepwell reads formats up to "
            f"{FORMAT}. Deliver it with the version that wrote it, or a newer one.",
            "NOT_IMPLEMENTED",
        )
    if number == 1:
        found.setdefault("first_position", 0)
    writer = WriterFile(**checked_json.typed(WRITER_FILE, found, _TYPES, checked=number != 1))
    if writer.format < 1 or not writer.open_message or not 0 <= writer.first_position <= POSITION_MAX:
        raise ValueError(f"{WRITER_FILE} describes no writer")
    return writer
