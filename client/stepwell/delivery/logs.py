"""The logs of this process that are not wholly delivered, of all runs: waiting for them, ending them, forks."""

import contextlib
import os
import resource
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from logging import getLogger
from pathlib import Path
from typing import TYPE_CHECKING

from stepwell import beside, settings
from stepwell.delivery.progress import REJECTIONS_KEPT_MAX, deadline, remaining_s
from stepwell.delivery.receipts import Receipt
from stepwell.errors import StepwellException

if TYPE_CHECKING:
    from stepwell.delivery.writer import RunWriter
    from stepwell.delivery.writer_log import WriterLog

# How long after a fork the parent waits before it delivers again, unless somebody waits for it: workers of data loaders
# are forked one after another.
RESUME_AFTER_FORK_S = 0.25
# How often the end of the process looks whether delivered logs have said goodbye: it takes one round trip.
ENDS_POLL_S = 0.005
# Logs that entries go to, and those that have ended and wait, at most: each has one of the 1,000 streams that one
# connection takes. They have 5 and 3 files open each, so all of them together three quarters of what this process may
# have, 1,024 as a rule; the rest is for others.
LOGS_MAX = 800
LOGS_WAITING_MAX = 150
FILES_FOR_A_LOG = 8
FILES_FOR_A_WAITING_LOG = 24
# How long a log that begins waits at the limit for one of those that are being delivered.
ROOM_S = 5.0
# How long it waits there for its turn; then it begins all the same.
TURN_MAX_S = 60.0
# How often who waits for logs that were left looks whether they are delivered.
LEFT_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class _Left:
    """A log that was left at the limit: of which server and run, and how many entries wait there."""

    run: tuple[str, str]
    waiting: int


# Writers that have a log, in the order in which these began, and logs that ended, with their writers, until they are
# delivered.
_with_log: "dict[RunWriter, None]" = {}
_sealed: "dict[WriterLog, RunWriter]" = {}
# Logs that were left at the limit, by their folders, until they are delivered.
_left: dict[Path, _Left] = {}
_resumption: threading.Timer | None = None
# What became of logs that are done; and who has this adds to it.
_past = Receipt()
_lock = threading.RLock()
# Who has this begins a log.
_room = threading.RLock()
_log = getLogger("stepwell")


def begun(writer: "RunWriter") -> None:
    """Take note that a writer has a log."""
    _with_log[writer] = None


def ended(writer: "RunWriter", log: "WriterLog") -> None:
    """Take note that a writer will not log to this log any more; it may not be delivered yet."""
    _with_log.pop(writer, None)
    _forget_finished()
    _sealed[log] = writer


@contextlib.contextmanager
def room() -> Iterator[None]:
    """Have room for one more log, which begins meanwhile. To be had before the lock of a writer: others end here."""
    is_its_turn = _room.acquire(timeout=TURN_MAX_S)
    try:
        _make_room()
        yield
    finally:
        if is_its_turn:
            _room.release()


def _make_room() -> None:
    """Keep to the limit: the logs that began first end, and their runs go on with others; for deliveries it waits.

    Those that wait for a server that is away are left, and delivered as what a dead process left, by this one if the
    server comes back in its time.
    """
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        files = sys.maxsize
    open_max = min(LOGS_MAX, max(files // FILES_FOR_A_LOG, 1))
    waiting_max = min(LOGS_WAITING_MAX, max(files // FILES_FOR_A_WAITING_LOG, 1))
    for writer in list(islice(_with_log, max(len(_with_log) + 1 - open_max, 0))):
        writer.rest()
    _forget_finished()
    moment = deadline(ROOM_S)
    while len(waiting := list(_sealed)) > waiting_max:
        oldest = waiting[0]
        if oldest.delivery.is_reachable and remaining_s(moment):
            time.sleep(ENDS_POLL_S)
        else:
            _left[oldest.folder] = _Left(oldest.run, oldest.receipt().waiting)
            oldest.leave()
            _forget(oldest)
        _forget_finished()


def open_logs() -> "list[WriterLog]":
    """Return all logs of this process that are not wholly delivered."""
    _forget_finished()
    return [*_sealed, *(log for writer in list(_with_log) if (log := writer.current_log) is not None)]


def earlier_of(run: tuple[str, str]) -> list[Path]:
    """Return the folders of logs of a run (server, id) that have ended and may not be delivered yet."""
    left = [folder for folder, each in list(_left.items()) if each.run == run]
    return [*left, *(log.folder for log in list(_sealed) if log.run == run)]


def _forget_finished() -> None:
    for log in list(_sealed):
        if not log.is_delivering:
            _forget(log)


def _forget(log: "WriterLog") -> None:
    """Keep of a log that is done what became of it, and no more: a process may have thousands of runs."""
    global _past
    receipt = replace(log.receipt(), waiting=0)
    with _lock:
        writer = _sealed.pop(log, None)
        if writer is not None:  # else another thread was faster
            _past = _sum(_past, receipt)
            writer.past = _sum(writer.past, receipt)


def _sum(past: Receipt, receipt: Receipt) -> Receipt:
    both = past + receipt
    return replace(both, rejections=both.rejections[:REJECTIONS_KEPT_MAX])


def flush_run(uri: str, run_id: str) -> None:
    """Wait until what this process logged to a run, or left for later, is committed, so that reading sees it.

    What this process does not deliver itself (a fork, offline mode, what the server will not take) is only told.

    Raises:
        StepwellException: TEMPORARILY_UNAVAILABLE when the server is away, or has not committed all of it within
            STEPWELL_FLUSH_TIMEOUT_S.
    """
    beside.wait(run_id, settings.flush_timeout_s())
    logs = [log for log in open_logs() if log.run == (uri, run_id)]
    if any(log.is_shipping and not log.delivery.is_reachable for log in logs):
        _require_server(uri)
    moment = deadline(settings.flush_timeout_s())
    waiting = [(log, receipt.waiting) for log in logs if (receipt := log.flush(remaining_s(moment))).waiting]
    if not waiting:
        return
    count = sum(number for _, number in waiting)
    message = f"{count} entries that this process logged to run {run_id} are not stored yet"
    if any(log.is_shipping for log, _ in waiting):
        _require_server(uri)
        raise StepwellException(
            f"{message}, after {settings.flush_timeout_s():g} s (STEPWELL_FLUSH_TIMEOUT_S). They are on their way: "
            "read again later.",
            "TEMPORARILY_UNAVAILABLE",
        )
    _log.warning("%s; what is read may be less. They wait in %s.", message, waiting[0][0].folder)


def _require_server(uri: str) -> None:
    """Raise what is wrong with the server, if it is away."""
    from stepwell.wire.connection import connect

    connect(uri).check(settings.reach_timeout_s())


def flush_all(timeout_s: float) -> Receipt:
    """Wait until everything this process logged is committed or refused; returns the sum over its logs."""
    with _lock:
        logs, past = open_logs(), _past
    return past + _flush(logs, timeout_s, None)


def flush_of(writer: "RunWriter", timeout_s: float) -> Receipt:
    """The same for what it logged to one run."""
    run = writer.uri, writer.run_id
    with _lock:
        logs, past = open_logs(), writer.past
    return past + _flush([log for log in logs if log.run == run], timeout_s, run)


def _flush(logs: "list[WriterLog]", timeout_s: float, run: tuple[str, str] | None) -> Receipt:
    moment = deadline(timeout_s)
    for log in logs:
        log.hurry()
    receipt = sum((log.flush(remaining_s(moment)) for log in logs), Receipt())
    while (left := _left_of(run)) and remaining_s(moment) and any(map(_may_come_soon, left)):
        time.sleep(LEFT_POLL_S)
    return receipt + Receipt(waiting=sum(_left[folder].waiting for folder in left if folder in _left))


def _left_of(run: tuple[str, str] | None) -> list[Path]:
    for folder in [folder for folder in list(_left) if not folder.exists()]:
        _left.pop(folder, None)
    return [folder for folder, each in list(_left.items()) if run in (None, each.run)]


def _may_come_soon(folder: Path) -> bool:
    from stepwell.delivery import away, catch_up

    left = _left.get(folder)
    return (
        left is not None
        and catch_up.may_come(folder)
        and not away.is_away(settings.parse_uri(left.run[0]).name)
    )


def flush_and_tell(timeout_s: float | None) -> Receipt:
    """The same for who asked for it, and may not look at the receipt: says what waits, but in offline mode.

    None means STEPWELL_FLUSH_TIMEOUT_S.
    """
    limit_s = settings.flush_timeout_s() if timeout_s is None else timeout_s
    begun = time.monotonic()
    beside.wait(timeout_s=limit_s)
    receipt = flush_all(limit_s)
    if receipt.waiting and not settings.is_offline():
        _log.warning(
            "%d entries that this process logged are not stored yet (%s); what is read now may be less.",
            receipt.waiting,
            why_waiting(time.monotonic() - begun),
        )
    return receipt


def why_waiting(waited_s: float) -> str:
    """Say, within a sentence, why something still waits after so many seconds."""
    is_away = any(log.is_shipping and not log.delivery.is_reachable for log in open_logs())
    return f"{'no server answers; ' if is_away else ''}waited {waited_s:.1f} s"


def rejected() -> int:
    """Return how many entries of this process the server has refused."""
    with _lock:
        logs, past = open_logs(), _past
    return past.rejected + sum(log.receipt().rejected for log in logs)


def rest_all() -> None:
    """End all logs, in order; they are delivered on their own."""
    for writer in list(_with_log):
        writer.rest()


def await_ends(timeout_s: float) -> None:
    """Give logs of which everything is delivered the time to tell the server so and to delete their files."""
    moment = deadline(timeout_s)
    while remaining_s(moment) and any(log.is_about_to_finish for log in open_logs()):
        time.sleep(ENDS_POLL_S)


def remove_delivered() -> None:
    """Delete, when nothing runs in the background any more, what the server has but was not told the end of."""
    for log in open_logs():
        if log.is_about_to_finish:
            log.finished()


def cancel_resumption() -> None:
    """Leave the delivery stopped after a fork, because another fork or the end of the process follows."""
    global _resumption
    if _resumption is not None:
        _resumption.cancel()
        _resumption = None


def _resume_in_parent() -> None:
    """Ship again some time after the last fork: gRPC that is just connecting is the worst moment for the next one."""
    global _resumption
    cancel_resumption()
    if open_logs() or _left_of(None):
        _resumption = threading.Timer(RESUME_AFTER_FORK_S, _resume_all)
        _resumption.daemon = True
        _resumption.start()


def _resume_all() -> None:
    from stepwell.delivery import catch_up

    for log in open_logs():
        log.resume()
    for uri in {each.run[0] for each in list(_left.values())}:
        catch_up.resume(uri)


def _start_over_in_child() -> None:
    global _resumption, _past, _lock, _room
    _resumption, _past = None, Receipt()
    _lock, _room = threading.RLock(), threading.RLock()
    for log in (*_sealed, *(writer.current_log for writer in _with_log)):
        if log is not None:
            log.leave_to_parent()
    _with_log.clear()
    _sealed.clear()
    _left.clear()


os.register_at_fork(after_in_parent=_resume_in_parent, after_in_child=_start_over_in_child)
