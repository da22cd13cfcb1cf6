"""Artifacts that wait for a server that is away.

    <spool folder>/artifacts/<run id>/<number>.json   where it goes: see `Entry`; written last, so what has it is whole
                                     /<number>.data   the bytes: a copy, because the caller may change the file
                                     /lock            held (flock) by the process that delivers
                                     /refused/…       what the server refused, with the reason in the .json

Numbers are in the order of logging, so that the later of two files with one path wins. Delivered is what the server
has made visible; then the .json goes, and then the .data.
"""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from logging import getLogger
from pathlib import Path

from stepwell import settings
from stepwell.delivery import offline
from stepwell.errors import StepwellException
from stepwell.files import options
from stepwell.files.local import LocalFile
from stepwell.files.tables import add_waiting_rows
from stepwell.files.uploads import Uploader
from stepwell.wire import background
from stepwell.wire.connection import connect

VERSION = 1
PAUSE_FIRST_S = 1.0
PAUSE_MAX_S = 30.0
# How long log calls of this process believe that a server is away, before one of them looks again.
AWAY_S = 30.0

_FINAL = ("INVALID_PARAMETER_VALUE", "INVALID_STATE", "PERMISSION_DENIED", "NOT_IMPLEMENTED")

_log = getLogger("stepwell")
_lock = threading.Lock()
_delivery: threading.Thread | None = None
_away_until: dict[str, float] = {}


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


@dataclass
class OutboxReport:
    """What became of an outbox: counts of files, bytes, and what the server refused as (run id, path, reason)."""

    delivered: int = 0
    delivered_bytes: int = 0
    waiting: int = 0
    refused: list[tuple[str, str, str]] = field(default_factory=list)


def store(uri: str, run_id: str, files: Iterable[LocalFile], *, are_rows: bool = False) -> None:
    """Copy files into the outbox, flushed to the disk, and begin to deliver them in the background.

    `are_rows` says that they are tables whose rows go below those that are at their paths.

    Raises:
        StepwellException: RESOURCE_EXHAUSTED when the outbox cannot hold them.
    """
    folder = options.outbox_folder()
    for file in files:
        try:
            entry = Entry(run_id, file.path, uri, time.time_ns() // 1_000_000, are_rows=are_rows)
            _store_one(folder / run_id, entry, file.source)
        except OSError as error:
            raise StepwellException(
                f"The server {uri} is away, and {file.source} cannot wait in {folder}: {error.strerror or error}. "
                "Make room, or name another folder with STEPWELL_SPOOL_DIR.",
                "RESOURCE_EXHAUSTED",
            ) from error
    if not settings.is_offline():
        _log.warning(
            "The server %s is away. Artifacts of run %s wait in %s; they are delivered when it is back, by this "
            "process, the next one, or 'stepwell sync'.",
            uri,
            run_id,
            folder,
        )
        _away_until[uri] = time.monotonic() + AWAY_S
        start_delivery()


def must_wait(uri: str, run_id: str) -> bool:
    """Tell whether files of a run have to queue: others of it wait, or the server was away a moment ago."""
    if time.monotonic() < _away_until.get(uri, 0.0):
        return True
    return bool(_waiting(options.outbox_folder() / run_id))


def deliver_run(uri: str, run_id: str) -> None:
    """Deliver what waits for a run, if the server is there, so that reading sees it."""
    folder = options.outbox_folder() / run_id
    if _waiting(folder):
        _deliver_folder(folder, uri, OutboxReport(), set())


def deliver_outbox(folder: Path | None = None, tracking_uri: str | None = None) -> OutboxReport:
    """Deliver what waits, once; what cannot be delivered now stays.

    Args:
        folder: the outbox; None means that of this process, `artifacts` in STEPWELL_SPOOL_DIR.
        tracking_uri: where to; None means the server that each artifact was logged for.

    Returns:
        What became of it. Runs that another process delivers at the moment count as waiting.
    """
    report = OutboxReport()
    root = folder if folder is not None else options.outbox_folder()
    away: set[str] = set()
    for run_folder in sorted(root.iterdir()) if root.is_dir() else ():
        if run_folder.is_dir():
            _deliver_folder(run_folder, tracking_uri, report, away)
    return report


def start_delivery() -> None:
    """Deliver in the background, while there is something to deliver; not in offline mode."""
    global _delivery
    if settings.is_offline() or background.is_fork():
        return
    with _lock:
        if _delivery is None or not _delivery.is_alive():
            _delivery = threading.Thread(target=_deliver_all, name="stepwell-outbox", daemon=True)
            _delivery.start()


def start_delivery_if_waiting() -> None:
    """Deliver what an earlier process left behind, if it did."""
    root = options.outbox_folder()
    if root.is_dir() and any(_waiting(folder) for folder in root.iterdir()):
        start_delivery()


def _deliver_all() -> None:
    pause_s = PAUSE_FIRST_S
    while True:
        report = deliver_outbox()
        if not report.waiting:
            return
        pause_s = PAUSE_FIRST_S if report.delivered else min(PAUSE_MAX_S, pause_s * 2)
        time.sleep(pause_s)


def _store_one(folder: Path, entry: Entry, source: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{time.time_ns():020}-{secrets.token_hex(4)}"
    data, note = folder / f"{name}.data", folder / f"{name}.json"
    try:
        shutil.copyfile(source, data)
        _flush(data)
        _write_note(note, entry)
    except BaseException:
        data.unlink(missing_ok=True)
        raise


def _write_note(note: Path, entry: Entry) -> None:
    temporary = note.with_suffix(".tmp")
    temporary.write_text(json.dumps(asdict(entry)), "utf-8")
    _flush(temporary)
    temporary.replace(note)
    _flush(note.parent)


def _waiting(folder: Path) -> list[Path]:
    """Return the notes of what waits for a run, in the order of logging."""
    return sorted(folder.glob("*.json"))


def _deliver_folder(folder: Path, uri: str | None, report: OutboxReport, away: set[str]) -> None:
    """Deliver what waits for a run; `away` gathers servers that cannot be reached, which are not tried again."""
    with _locked(folder) as alone:
        for note in _waiting(folder):
            if not (alone and _deliver_one(note, uri, report, away)):
                break
        report.waiting += len(_waiting(folder))
        if alone:
            _tidy(folder)


def _deliver_one(note: Path, uri: str | None, report: OutboxReport, away: set[str]) -> bool:
    """Deliver one artifact; tells whether to go on with the next one of the run."""
    entry = _read_note(note)
    data = note.with_suffix(".data")
    if entry is None or not data.exists():
        _log.warning("%s cannot be read; it is passed over.", note)
        note.replace(note.with_suffix(".unreadable"))
        return True
    size, target = data.stat().st_size, uri or entry.tracking_uri
    if _is_away(target, away):
        return False
    try:
        _send(target, entry, data)
    except StepwellException as failure:
        if failure.error_code not in _FINAL:
            if failure.error_code == "TEMPORARILY_UNAVAILABLE":
                away.add(target)
            return False  # also when the run is not there yet: it may wait in a spool
        _refuse(note, replace(entry, reason=failure.message), report)
        return True
    _away_until.pop(target, None)
    note.unlink()
    data.unlink()
    report.delivered += 1
    report.delivered_bytes += size
    return True


def _is_away(target: str, away: set[str]) -> bool:
    """Look for the server first: an upload by itself tries for minutes."""
    if target not in away:
        try:
            connect(target).check(offline.brief_reach_timeout_s())
        except StepwellException:
            away.add(target)
    return target in away


def _send(target: str, entry: Entry, data: Path) -> None:
    if entry.are_rows:
        add_waiting_rows(target, entry.run_id, data, entry.path)
    else:
        Uploader(target, entry.run_id).upload([LocalFile(entry.path, data)])


def _refuse(note: Path, entry: Entry, report: OutboxReport) -> None:
    _log.warning("Artifact %r of run %s was refused: %s", entry.path, entry.run_id, entry.reason)
    report.refused.append((entry.run_id, entry.path, entry.reason))
    folder = note.parent / "refused"
    folder.mkdir(exist_ok=True)
    data = note.with_suffix(".data")
    data.replace(folder / data.name)
    _write_note(folder / note.name, entry)
    note.unlink()


def _read_note(note: Path) -> Entry | None:
    try:
        fields = json.loads(note.read_text("utf-8"))
        entry = Entry(**fields)
    except (OSError, ValueError, TypeError):
        return None
    return entry if entry.version == VERSION else None


def _tidy(folder: Path) -> None:
    """Remove copies that were never finished, and the folder if nothing is left."""
    notes = {note.stem for note in _waiting(folder)}
    oldest_ns = time.time_ns() - 24 * 3_600 * 10**9  # a copy that is still being made is younger
    for path in (*folder.glob("*.data"), *folder.glob("*.tmp")):
        number = path.name.partition("-")[0]
        if path.stem not in notes and number.isdigit() and int(number) < oldest_ns:
            path.unlink(missing_ok=True)
    if {path.name for path in folder.iterdir()} <= {"lock"}:
        with contextlib.suppress(OSError):  # somebody stores another artifact just now
            (folder / "lock").unlink(missing_ok=True)
            folder.rmdir()


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Hold a run's folder alone; yields False when another process or thread has it."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _start_over_in_child() -> None:
    global _lock, _delivery
    _lock, _delivery = threading.Lock(), None


os.register_at_fork(after_in_child=_start_over_in_child)
