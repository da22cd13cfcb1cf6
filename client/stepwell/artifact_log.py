"""Logging artifacts to a run: now if the server is there, into the outbox if it is away."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from stepwell import artifact_paths, settings, writer
from stepwell.errors import StepwellException, invalid

if TYPE_CHECKING:
    from stepwell.uploads import LocalFile

COPY_PIECE_BYTES = 1 << 20


def log_path(uri: str, run_id: str, local_path: object, artifact_path: object = None) -> None:
    """Log a file under its name, or a folder with all below it under its name, into a folder of the run."""
    source = _existing(local_path)
    folder = artifact_paths.check_folder(artifact_path)
    # The name of "." and ".." is that of the folder they mean.
    target = artifact_paths.joined(
        folder, source.name if source.name not in ("", "..") else source.resolve().name
    )
    if source.is_dir():
        _log(uri, run_id, _below(source, target))
    else:
        log_file(uri, run_id, source, target)


def log_folder(uri: str, run_id: str, local_dir: object, artifact_path: object = None) -> None:
    """Log all files below a folder into a folder of the run."""
    source = _existing(local_dir)
    if not source.is_dir():
        raise invalid(f"{source} is not a folder; log a single file with log_artifact.")
    _log(uri, run_id, _below(source, artifact_paths.check_folder(artifact_path)))


def log_file(uri: str, run_id: str, source: Path, path: str) -> None:
    """Log one file under a path."""
    from stepwell.uploads import LocalFile

    _log(uri, run_id, [LocalFile(artifact_paths.check_path(path, "artifact file"), source)])


def log_bytes(uri: str, run_id: str, data: bytes, path: object) -> None:
    """Log bytes from memory under a path."""
    checked = artifact_paths.check_path(path, "artifact file")
    with temporary_file(checked) as file:
        file.write_bytes(data)
        log_file(uri, run_id, file, checked)


def log_stream(uri: str, run_id: str, stream: BinaryIO, path: object) -> None:
    """Log what a stream gives until its end; it gathers on disk first, because its size has to be known."""
    checked = artifact_paths.check_path(path, "artifact file")
    if not callable(getattr(stream, "read", None)):
        raise invalid(f"A stream has read(); {stream!r} has not.")
    with temporary_file(checked) as file:
        with file.open("wb") as target:
            while piece := stream.read(COPY_PIECE_BYTES):
                if not isinstance(piece, (bytes, bytearray, memoryview)):
                    raise invalid(f"The stream gives {type(piece).__name__}; open it in binary mode.")
                target.write(piece)
        log_file(uri, run_id, file, checked)


@contextmanager
def temporary_file(path: str) -> Iterator[Path]:
    """Yield a place on disk, gone at the end, for what becomes the artifact `path`; with its name, for its suffix."""
    with tempfile.TemporaryDirectory(prefix="stepwell-") as folder:
        yield Path(folder) / path.rpartition("/")[2]


def _below(source: Path, target: str) -> "list[LocalFile]":
    from stepwell.uploads import LocalFile

    return [
        LocalFile(artifact_paths.check_path(artifact_paths.joined(target, path)), file)
        for path, file in artifact_paths.files_below(source)
    ]


def _existing(local_path: object) -> Path:
    try:
        path = Path(local_path)  # type: ignore[arg-type]  # TypeError is the answer for the rest
    except TypeError:
        raise invalid(f"A local path is a string or a Path, not {local_path!r}.") from None
    if not path.exists():
        raise invalid(f"{path} does not exist; nothing can be logged from there.")
    return path


def log_rows(uri: str, run_id: str, rows: Path, path: str, add: Callable[[], None]) -> None:
    """Add rows to the table at a path, now by `add`, or later from the file `rows` when the server is away."""
    from stepwell.uploads import LocalFile

    _now_or_later(uri, run_id, [LocalFile(path, rows)], add, are_rows=True)


def _log(uri: str, run_id: str, files: "Sequence[LocalFile]") -> None:
    """Send files, or let them wait when the server is away."""
    _now_or_later(uri, run_id, files, lambda: send(uri, run_id, files))


def _now_or_later(
    uri: str,
    run_id: str,
    files: "Sequence[LocalFile]",
    send: Callable[[], None],
    *,
    are_rows: bool = False,
) -> None:
    # gRPC is imported with the first artifact and not with the package.
    from stepwell import outbox

    if settings.is_offline() or outbox.must_wait(uri, run_id):
        outbox.store(uri, run_id, files, are_rows=are_rows)
        return
    try:
        send()
    except StepwellException as failure:
        if failure.error_code != "TEMPORARILY_UNAVAILABLE" or settings.raises_when_unreachable():
            raise
        outbox.store(uri, run_id, files, are_rows=are_rows)
        return
    outbox.start_delivery_if_waiting()


def send(uri: str, run_id: str, files: "Sequence[LocalFile]") -> None:
    """Send files to a server that is there."""
    from stepwell.uploads import Uploader

    try:
        Uploader(uri, run_id).upload(files)
    except StepwellException as failure:
        if failure.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        # The run may be on its way: what this process logged to it goes first.
        writer.flush_run(uri, run_id)
        Uploader(uri, run_id).upload(files)
