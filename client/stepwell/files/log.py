"""Logging artifacts to a run: now if the server is there, into the outbox if it is away."""

import uuid
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from stepwell import settings
from stepwell.delivery import offline
from stepwell.errors import StepwellException, invalid
from stepwell.files import paths
from stepwell.files.outgoing.sending import send, temporary_file
from stepwell.files.tabular import formats as table_formats
from stepwell.files.tabular import tables

if TYPE_CHECKING:
    from stepwell.files.local import LocalFile, Problems

COPY_PIECE_BYTES = 1 << 20


def log_path(uri: str, run_id: str, local_path: object, artifact_path: object = None) -> None:
    """Log a file under its name, or a folder with all below it under its name, into a folder of the run."""
    source = _existing(local_path)
    folder = paths.check_folder(artifact_path)
    # The name of "." and ".." is that of the folder they mean.
    target = paths.joined(folder, source.name if source.name not in ("", "..") else source.resolve().name)
    if source.is_dir():
        _log_below(uri, run_id, source, target)
    else:
        log_file(uri, run_id, source, target)


def log_folder(uri: str, run_id: str, local_dir: object, artifact_path: object = None) -> None:
    """Log all files below a folder into a folder of the run."""
    source = _existing(local_dir)
    if not source.is_dir():
        raise invalid(f"{source} is not a folder; log a single file with log_artifact.")
    _log_below(uri, run_id, source, paths.check_folder(artifact_path))


def log_file(uri: str, run_id: str, source: Path, path: str) -> None:
    """Log one file under a path."""
    from stepwell.files.local import LocalFile, Problems

    problems = Problems()
    _log(uri, run_id, [LocalFile(paths.check_path(path, "artifact file"), source)], problems)
    problems.tell(alone=True)


def log_bytes(uri: str, run_id: str, data: bytes, path: object) -> None:
    """Log bytes from memory under a path."""
    checked = paths.check_path(path, "artifact file")
    with temporary_file(checked) as file:
        file.write_bytes(data)
        log_file(uri, run_id, file, checked)


def log_stream(uri: str, run_id: str, stream: BinaryIO, path: object) -> None:
    """Log what a stream gives until its end; it gathers on disk first, because its size has to be known."""
    checked = paths.check_path(path, "artifact file")
    if not callable(getattr(stream, "read", None)):
        raise invalid(f"A stream has read(); {stream!r} has not.")
    with temporary_file(checked) as file:
        with file.open("wb") as target:
            while piece := stream.read(COPY_PIECE_BYTES):
                if not isinstance(piece, (bytes, bytearray, memoryview)):
                    raise invalid(f"The stream gives {type(piece).__name__}; open it in binary mode.")
                target.write(piece)
        log_file(uri, run_id, file, checked)


def _log_below(uri: str, run_id: str, source: Path, target: str) -> None:
    """Log all files below a folder; what is wrong with some does not keep the others back, and is told at the end."""
    from stepwell.files.local import LocalFile, Problems

    problems = Problems()
    files = []
    for path, file in paths.files_below(source, problems.add):
        try:
            files.append(LocalFile(paths.check_path(paths.joined(target, path)), file))
        except StepwellException as failure:
            problems.add(failure)
    _log(uri, run_id, files, problems)
    problems.tell(alone=False)


def _existing(local_path: object) -> Path:
    try:
        path = Path(local_path)  # type: ignore[arg-type]  # TypeError is the answer for the rest
    except TypeError:
        raise invalid(f"A local path is a string or a Path, not {local_path!r}.") from None
    if not path.exists():
        raise invalid(f"{path} does not exist; nothing can be logged from there.")
    return path


def log_table(uri: str, run_id: str, table: Any, path: str) -> None:
    """Add the rows of a DataFrame to the table at a path, now, or later when the server is away; once in any case."""
    from stepwell.files.local import LocalFile

    call_id = uuid.uuid4().hex
    with temporary_file(path) as file:
        table_formats.save_table(table, file)
        add = partial(tables.add_rows, uri, run_id, file, path, call_id)
        _now_or_later(uri, run_id, [LocalFile(path, file)], add, call_id)


def _log(uri: str, run_id: str, files: "Sequence[LocalFile]", problems: "Problems") -> None:
    """Send files, or let them wait when the server is away; what is wrong with some goes to the problems."""
    readable = list(problems.readable(files))
    if readable:
        _now_or_later(uri, run_id, readable, lambda: send(uri, run_id, readable, problems))


def _now_or_later(
    uri: str,
    run_id: str,
    files: "Sequence[LocalFile]",
    send: Callable[[], None],
    call_id: str = "",
) -> None:
    """Send files, or let them wait; with the id of a call, they are rows of tables."""
    # gRPC is imported with the first artifact and not with the package.
    from stepwell.files.outgoing import outbox

    if outbox.must_wait(uri, run_id) or offline.is_away(uri):
        outbox.store(uri, run_id, files, call_id=call_id)
        return
    try:
        send()
    except StepwellException as failure:
        if failure.error_code != "TEMPORARILY_UNAVAILABLE" or settings.raises_when_unreachable():
            raise
        outbox.store(uri, run_id, files, call_id=call_id)
        return
    outbox.start_delivery_if_waiting()
