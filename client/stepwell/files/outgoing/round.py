"""One round of delivering what waits in an outbox: where each artifact goes, and what became of it."""

import contextlib
import fcntl
import os
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from logging import getLogger
from pathlib import Path

from stepwell.delivery import offline
from stepwell.delivery.addressee import for_another, is_told
from stepwell.errors import StepwellException
from stepwell.files.local import LocalFile
from stepwell.files.outgoing import model_boxes, waiting
from stepwell.files.outgoing.waiting import Entry
from stepwell.files.tabular.tables import add_rows
from stepwell.files.uploads import Uploader
from stepwell.spool import safe_files
from stepwell.wire.connection import connect

_FINAL = ("INVALID_PARAMETER_VALUE", "INVALID_STATE", "PERMISSION_DENIED", "NOT_IMPLEMENTED")

_log = getLogger("stepwell")


@dataclass
class OutboxReport:
    """What became of an outbox.

    Counts of files and bytes; what the server refused as (run id, path, reason); and `left`, what no further attempt
    will deliver, in words: it was logged for a server that nobody named here, or cannot be read.
    """

    delivered: int = 0
    delivered_bytes: int = 0
    waiting: int = 0
    refused: list[tuple[str, str, str]] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


class OutboxRound:
    """Delivers the folders of runs, one after another; `report` says what became of them."""

    def __init__(
        self,
        uri: str | None,
        told: Collection[str],
        reached: Callable[[str], object],
        away: set[str] | None = None,
    ) -> None:
        """Without `uri`, each goes where it was logged for, if the settings or `told` name that server.

        `reached` is called with each server that has taken something.
        """
        self.report = OutboxReport()
        self._uri = uri
        self._told = told
        self._reached = reached
        # Servers that were found to be away; they are not tried again.
        self._away = set() if away is None else away

    def deliver(self, folder: Path) -> bool:
        """Deliver what waits for a run; whatever is wrong with it is of this run alone.

        Returns:
            Whether what could be done is done: not so while somebody else delivers it.
        """
        try:
            safe_files.check_folder(folder)
            with _locked(folder) as alone:
                if alone:
                    self._deliver_in_order(folder)
                    _tidy(folder)
                else:
                    self.report.waiting += len(waiting.notes(folder))
                return alone
        except Exception as error:  # noqa: BLE001 - the others are delivered, and this one is named
            self.report.left.append(f"{folder}: {error}")
            return True

    def _deliver_in_order(self, folder: Path) -> None:
        left_before = len(self.report.left)
        for note in waiting.notes(folder):
            try:
                if not self._deliver_one(note):
                    break
            except (OSError, ValueError) as error:
                if os.path.lexists(note):  # else somebody else has delivered it meanwhile
                    self.report.left.append(f"{note}: {error}")
                    if model_boxes.is_of_model(folder):
                        break  # it must not become READY without this file
        left = len(self.report.left) - left_before
        self.report.waiting += len(waiting.notes(folder)) - left

    def _deliver_one(self, note: Path) -> bool:
        """Deliver one artifact; tells whether to go on with the next one of the run.

        Raises:
            OSError, ValueError: it cannot be read, or not safely.
        """
        entry = waiting.read_note(note)
        target = self._uri or entry.tracking_uri
        if self._uri is None and not is_told(target, self._told):
            what = f"{note}, {entry.path!r} of run {entry.run_id},"
            self.report.left.append(for_another(what, target))
            return True
        with waiting.opened(note, entry) as data:
            size = data.stat().st_size
            if self._is_away(target):
                return False
            try:
                _send(target, entry, data, note.stem)
            except StepwellException as failure:
                if failure.error_code not in _FINAL:
                    if failure.error_code == "TEMPORARILY_UNAVAILABLE":
                        self._away.add(target)
                    return False  # also when the run is not there yet: it may wait in a spool
                self._refuse(note, replace(entry, reason=failure.message))
                return not self._refuse_rest(target, note.parent, failure.message)
        self._reached(target)
        note.unlink()
        note.with_suffix(".data").unlink()
        self.report.delivered += 1
        self.report.delivered_bytes += size
        return True

    def _refuse_rest(self, target: str, folder: Path, reason: str) -> bool:
        """Of a model that is refused in part, refuse the rest as well; tells whether it is one."""
        if not model_boxes.is_of_model(folder):
            return False
        for note in waiting.notes(folder):
            self._refuse(note, replace(waiting.read_note(note), reason=reason))
        model_boxes.fail(target, folder.name, reason)
        return True

    def _is_away(self, target: str) -> bool:
        """Look for the server first: an upload by itself tries for minutes."""
        if target not in self._away:
            try:
                connect(target).check(offline.brief_reach_timeout_s())
            except StepwellException:
                self._away.add(target)
        return target in self._away

    def _refuse(self, note: Path, entry: Entry) -> None:
        _log.warning("Artifact %r of run %s was refused: %s", entry.path, entry.run_id, entry.reason)
        self.report.refused.append((entry.run_id, entry.path, entry.reason))
        folder = note.parent / "refused"
        folder.mkdir(mode=safe_files.FOLDER_MODE, exist_ok=True)
        data = note.with_suffix(".data")
        data.replace(folder / data.name)
        waiting.write_note(folder / note.name, entry)
        note.unlink()


def _send(target: str, entry: Entry, data: Path, number: str) -> None:
    if entry.kind:
        model_boxes.deliver(target, entry, data)
    elif entry.are_rows:
        # What an older version left has no id of a call, but its number is one, also in copies.
        call_id = entry.call_id or uuid.uuid5(uuid.NAMESPACE_OID, f"{entry.run_id} {number}").hex
        add_rows(target, entry.run_id, data, entry.path, call_id)
    else:
        Uploader(target, entry.run_id).upload([LocalFile(entry.path, data)])


def _tidy(folder: Path) -> None:
    """Remove copies that were never finished, and the folder if nothing is left."""
    notes = {note.stem for note in waiting.notes(folder)}
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
    with safe_files.opened_folder(folder) as opened:
        descriptor = safe_files.open_lock(opened, "lock")
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
