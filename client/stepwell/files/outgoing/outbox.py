"""Artifacts that wait for a server that is away.

    <spool folder>/artifacts/<run id>/<number>.json, .data   what waits: see waiting.py; of a model, also model_boxes.py
                                     /lock                   held (flock) by the process that delivers
                                     /refused/…              what the server refused, with the reason in the .json

Numbers are in the order of logging, so that the later of two files with one path wins. Delivered is what the server
has made visible; then the .json goes, and then the .data. What was logged for one server goes to that one, if this
process was told of it by its own settings or by its caller: the folder may be somebody else's gift.
"""

import os
import threading
import time
from collections.abc import Iterable
from logging import getLogger
from pathlib import Path
from typing import TYPE_CHECKING

from stepwell import beside, settings
from stepwell.delivery.progress import deadline, remaining_s
from stepwell.errors import StepwellException
from stepwell.files import options
from stepwell.files.local import LocalFile
from stepwell.files.outgoing import model_boxes, waiting
from stepwell.files.outgoing.round import OutboxReport, OutboxRound
from stepwell.spool import places, safe_files
from stepwell.wire import background

if TYPE_CHECKING:
    from stepwell_api.v1 import models_pb2

PAUSE_FIRST_S = 1.0
PAUSE_MAX_S = 30.0
# How often a read looks whether somebody else has delivered what it waits for.
OTHERS_PAUSE_S = 0.05
# How long log calls of this process believe that a server is away, before one of them looks again.
AWAY_S = 30.0

_log = getLogger("stepwell")
_lock = threading.Lock()
_delivery: threading.Thread | None = None
_away_until: dict[str, float] = {}
# What was said of artifacts that stay; each once.
_told: set[str] = set()
# Servers that callers of this process named.
_named: set[str] = set()


def store(uri: str, run_id: str, files: Iterable[LocalFile], *, call_id: str = "") -> None:
    """Copy files into the outbox, flushed to the disk, and begin to deliver them in the background.

    With the id of a call, they are tables whose rows go below those that are at their paths.

    Raises:
        StepwellException: RESOURCE_EXHAUSTED when the outbox cannot hold them.
    """
    _named.add(uri)
    folder = places.to_write() / options.OUTBOX_FOLDER
    for file in files:
        try:
            folder.mkdir(mode=safe_files.FOLDER_MODE, exist_ok=True)
            safe_files.check_folder(folder)
            waiting.store(folder / run_id, file.source, run_id, file.path, uri, call_id=call_id)
        except OSError as error:
            raise StepwellException(
                f"The server {uri} is away, and {file.source} cannot wait in {folder}: {error.strerror or error}. "
                "Make room, or name another folder with STEPWELL_SPOOL_DIR.",
                "RESOURCE_EXHAUSTED",
            ) from error
    _tell_and_deliver(uri, f"Artifacts of run {run_id} wait", folder)


def store_model(uri: str, spec: "models_pb2.LoggedModelSpec", files: Iterable[LocalFile], step: int) -> None:
    """Copy a whole model into the outbox, flushed to the disk, and begin to deliver it in the background.

    Raises:
        StepwellException: RESOURCE_EXHAUSTED when the outbox cannot hold it; then nothing of it waits.
    """
    _named.add(uri)
    folder = places.to_write() / options.OUTBOX_FOLDER
    try:
        folder.mkdir(mode=safe_files.FOLDER_MODE, exist_ok=True)
        safe_files.check_folder(folder)
        model_boxes.store(folder, uri, spec, files, step)
    except OSError as error:
        raise model_boxes.no_room(uri, folder, error) from error
    _tell_and_deliver(uri, f"Model {spec.name} ({spec.model_id}) waits", folder)


def _tell_and_deliver(uri: str, what_waits: str, folder: Path) -> None:
    if not settings.is_offline():
        _log.warning(
            "The server %s is away. %s in %s; delivered when it is back, by this process, the next one, or "
            "'stepwell sync'.",
            uri,
            what_waits,
            folder,
        )
        _away_until[uri] = time.monotonic() + AWAY_S
        start_delivery()


def must_wait(uri: str, run_id: str) -> bool:
    """Tell whether files of a run have to queue: others of it wait, or the server was away a moment ago."""
    _named.add(uri)
    if time.monotonic() < _away_until.get(uri, 0.0):
        return True
    return any(_wait_for(root / run_id, uri) for root in _roots())


def deliver_run(uri: str, run_id: str) -> None:
    """Deliver what waits for a run, if the server is there, so that reading sees it; says what waits all the same."""
    _named.add(uri)
    # What is left for later may be files of the run; or a model, whose run is not known here.
    beside.wait(None if model_boxes.is_model_id(run_id) else run_id, settings.flush_timeout_s())
    moment = deadline(settings.flush_timeout_s())
    for root in _roots():
        folder = root / run_id
        while _wait_for(folder, uri) and not _round().deliver(folder) and remaining_s(moment):
            time.sleep(OTHERS_PAUSE_S)  # somebody else delivers it just now
        if left := _wait_for(folder, uri):
            _log.warning(
                "%d artifacts of run %s still wait in %s; they are not read yet.", left, run_id, folder
            )


def deliver_outbox(
    folder: Path | None = None, tracking_uri: str | None = None, away: set[str] | None = None
) -> OutboxReport:
    """Deliver what waits, once; what cannot be delivered now stays.

    Args:
        folder: the outbox; None means that of this process, `artifacts` in STEPWELL_SPOOL_DIR.
        tracking_uri: where to; None means the server that each artifact was logged for, if that is the one of this
            process's settings or of its callers.
        away: servers that are known to be away, which are not tried; those that are found to be so are added.

    Returns:
        What became of it. Runs that another process delivers at the moment count as waiting.
    """
    round_ = _round(tracking_uri, away)
    for root in [folder] if folder is not None else _roots():
        try:
            safe_files.check_folder(root)
            model_boxes.remove_unfinished(root)
            run_folders = sorted(path for path in root.iterdir() if path.is_dir() and _is_whole(path))
        except FileNotFoundError:
            continue
        except OSError as error:
            round_.report.left.append(str(error))
            continue
        for run_folder in run_folders:
            if waiting.notes(run_folder):
                round_.deliver(run_folder)
    return round_.report


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
    folders = (folder for root in _roots() if root.is_dir() for folder in root.iterdir())
    if any(waiting.notes(folder) for folder in folders if _is_whole(folder)):
        start_delivery()


def _is_whole(folder: Path) -> bool:
    """Tell whether a folder waits to be delivered, and is not a model that is still gathered."""
    return not folder.name.startswith(model_boxes.UNFINISHED_PREFIX)


def _roots() -> list[Path]:
    return [root / options.OUTBOX_FOLDER for root in places.to_read()]


def _round(uri: str | None = None, away: set[str] | None = None) -> OutboxRound:
    return OutboxRound(uri, _named, lambda target: _away_until.pop(target, None), away)


def _wait_for(folder: Path, uri: str) -> int:
    """Return how many artifacts wait in the folder of a run for a server."""
    return sum(_is_for(note, uri) for note in waiting.notes(folder))


def _is_for(note: Path, uri: str) -> bool:
    """Tell whether what waits was logged for a server."""
    try:
        return settings.is_same_server(waiting.read_note(note).tracking_uri, uri)
    except (OSError, ValueError):
        return False


def _deliver_all() -> None:
    pause_s = PAUSE_FIRST_S
    while True:
        report = deliver_outbox()
        for left in set(report.left) - _told:
            _log.warning("An artifact stays where it is: %s", left)
        _told.update(report.left)
        if not report.waiting:
            return
        pause_s = PAUSE_FIRST_S if report.delivered else min(PAUSE_MAX_S, pause_s * 2)
        time.sleep(pause_s)


def _start_over_in_child() -> None:
    global _lock, _delivery
    _lock, _delivery = threading.Lock(), None


os.register_at_fork(after_in_child=_start_over_in_child)
