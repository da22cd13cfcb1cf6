"""Small descriptions beside what waits, as JSON with a checksum: what is in one decides where something is sent."""

import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stepwell.spool import safe_files
from stepwell.spool.safe_files import FILE_MODE


def write(path: Path, fields: dict[str, Any], *, flush: bool) -> None:
    """Write a new file, for this user alone; `flush` waits until it is on the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(json.dumps({**fields, "checksum": _checksum(fields)}).encode())
        file.flush()
        if flush:
            os.fsync(file.fileno())


def read(folder: Path, name: str, bytes_max: int) -> dict[str, Any]:
    """Return what a file says, unchecked, with its checksum.

    Raises:
        ValueError: it is no such description, or longer than it may be.
        OSError: it cannot be opened, or is not safe to open.
    """
    data = safe_files.read_in(folder, name, bytes_max + 1)
    if len(data) > bytes_max:
        raise ValueError(f"{name} is longer than {bytes_max} bytes")
    try:
        found = json.loads(data)
    except (RecursionError, ValueError) as error:
        raise ValueError(f"{name} is damaged: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{name} is damaged: it is no description")
    return found


def typed(
    name: str, found: dict[str, Any], types: Mapping[str, type | tuple[type, ...]], *, checked: bool
) -> dict[str, Any]:
    """Return the fields of a description, as they have to be: of exactly this type, or one of these.

    Raises:
        ValueError: one is missing or of another type, or, where it is `checked`, the checksum is wrong.
    """
    fields = {field: found.get(field) for field in types}
    for field, value in fields.items():
        wanted = types[field]
        if type(value) not in (wanted if isinstance(wanted, tuple) else (wanted,)):
            raise ValueError(f"{name} is damaged: {field} is {value!r:.100}")
    if checked and found.get("checksum") != _checksum(fields):
        raise ValueError(f"{name} is damaged: its checksum is wrong")
    return fields


def _checksum(fields: dict[str, Any]) -> str:
    """The checksum of what it says, whatever the order and the spaces."""
    return f"{zlib.crc32(json.dumps(fields, sort_keys=True).encode()):08x}"
