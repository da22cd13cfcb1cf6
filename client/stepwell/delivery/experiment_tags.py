"""Changes of experiments' tags: now, or when the server is back.

    <spool folder>/experiment-tags/<number>.json    one `TagChange`, in the order of the calls
                                  /<number>.refused  what the server refused, with the reason

They belong to no run, so they travel in no log. The server takes each as of the moment of the call: a repeat, or an
older change after a newer one, changes nothing. What was meant for one server goes to that one, if this process is told
of it (addressee.py).
"""

import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from logging import getLogger
from pathlib import Path
from typing import TYPE_CHECKING

from stepwell import settings
from stepwell.delivery import offline
from stepwell.delivery.addressee import for_another, is_told
from stepwell.entities import LifecycleStage
from stepwell.errors import StepwellException
from stepwell.spool import checked_json, places, safe_files

if TYPE_CHECKING:
    from stepwell.wire.calls import Calls

FOLDER = "experiment-tags"
PAUSE_FIRST_S = 1.0
PAUSE_MAX_S = 30.0
# What one change may take: 100 tags of 20,000 characters, six bytes each where they are escaped.
NOTE_BYTES_MAX = 12_000_000
# What passes by itself; all else is refused for good.
_PASSING = (
    "TEMPORARILY_UNAVAILABLE",
    "DEADLINE_EXCEEDED",
    "RESOURCE_EXHAUSTED",
    "UNAUTHENTICATED",
    "INTERNAL_ERROR",
    "RESOURCE_ALREADY_EXISTS",  # somebody else has made the experiment in this moment
)

_log = getLogger("stepwell")
_lock = threading.Lock()
_delivery: threading.Thread | None = None
# Servers that callers of this process named, and what was said of changes that stay; each once.
_told_of: set[str] = set()
_said: set[str] = set()


@dataclass(frozen=True, slots=True)
class TagChange:
    """Tags to set and to remove, of an experiment by id, or by a name that is made if it is missing."""

    tracking_uri: str
    experiment_id: int | None = None
    experiment_name: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    removed: Sequence[str] = ()
    logged_time_ms: int | None = None
    reason: str = ""  # why the server refused it


_NONE = type(None)
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "tracking_uri": str,
    "experiment_id": (int, _NONE),
    "experiment_name": (str, _NONE),
    "tags": dict,
    "removed": (list, tuple),
    "logged_time_ms": (int, _NONE),
    "reason": str,
}


@dataclass
class TagReport:
    """What became of changes: counts, what the server refused, with reasons, and what stays whatever is tried."""

    delivered: int = 0
    waiting: int = 0
    refused: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def change(wanted: TagChange) -> None:
    """Change tags, now or when the server is back.

    Raises:
        StepwellException: what the server answered; TEMPORARILY_UNAVAILABLE when it cannot be reached and
            STEPWELL_ON_UNREACHABLE=raise.
    """
    _told_of.add(wanted.tracking_uri)
    if _is_waiting(wanted.tracking_uri):
        _store(wanted)  # behind those that wait
        begin()
    else:
        offline.now_or_later(wanted.tracking_uri, lambda: _apply(wanted), lambda: _store(wanted))


def deliver(root: Path, tracking_uri: str | None = None, away: set[str] | None = None) -> TagReport:
    """Deliver what waits below a folder of spools, once; what cannot be delivered now stays.

    Args:
        root: the folder of all spools.
        tracking_uri: where to; None means the server that each change was meant for.
        away: servers that are known to be away, which are not tried; those that are found to be so are added.
    """
    report = TagReport()
    away = set() if away is None else away
    for note in _waiting(root / FOLDER):
        try:
            wanted = _read(note)
        except FileNotFoundError:  # somebody else has delivered it meanwhile
            continue
        except (OSError, ValueError) as error:
            report.left.append(f"{note}: {error}")
            continue
        if tracking_uri is None and not is_told(wanted.tracking_uri, _told_of):
            report.left.append(for_another(f"{note}", wanted.tracking_uri))
            continue
        target = tracking_uri or wanted.tracking_uri
        if target in away:
            break
        try:
            _apply(replace(wanted, tracking_uri=target))
        except StepwellException as failure:
            if failure.error_code in _PASSING:
                away.add(target)
                break
            report.refused.append(failure.message)
            _log.warning("A change of an experiment's tags was refused: %s", failure.message)
            _write(note.with_suffix(".refused"), replace(wanted, reason=failure.message))
        else:
            report.delivered += 1
        note.unlink(missing_ok=True)
    report.waiting = len(_waiting(root / FOLDER)) - len(report.left)
    return report


def begin() -> None:
    """Deliver in the background what waits, if anything does; not in offline mode."""
    global _delivery
    if settings.is_offline() or not _is_waiting():
        return
    with _lock:
        if _delivery is None or not _delivery.is_alive():
            _delivery = threading.Thread(target=_deliver_all, name="stepwell-experiment-tags", daemon=True)
            _delivery.start()


def _deliver_all() -> None:
    pause_s = PAUSE_FIRST_S
    while sum(_deliver_saying(root).waiting for root in places.to_read()):
        time.sleep(pause_s)
        pause_s = min(PAUSE_MAX_S, pause_s * 2)


def _deliver_saying(root: Path) -> TagReport:
    report = deliver(root)
    for left in set(report.left) - _said:
        _log.warning("A change of an experiment's tags stays where it is: %s", left)
    _said.update(report.left)
    return report


def _apply(wanted: TagChange) -> None:
    from stepwell.wire.calls import Calls

    calls = Calls(wanted.tracking_uri)
    experiment_id = wanted.experiment_id
    if experiment_id is None:
        experiment_id = _by_name(calls, wanted.experiment_name or "")
    if wanted.tags:
        calls.update_experiment(experiment_id, tags=wanted.tags, logged_time_ms=wanted.logged_time_ms)
    for key in wanted.removed:
        calls.delete_experiment_tag(experiment_id, key, wanted.logged_time_ms)


def _by_name(calls: "Calls", name: str) -> int:
    """Return the id of the active experiment of a name, made if there is none."""
    try:
        found = calls.get_experiment_by_name(name)
        if found.lifecycle_stage == LifecycleStage.ACTIVE:
            return int(found.experiment_id)
    except StepwellException as failure:
        if failure.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
    return int(calls.create_experiment(name, "", {}).experiment_id)


def _is_waiting(uri: str | None = None) -> bool:
    """Tell whether anything waits, or anything for this server."""
    notes = (note for root in places.to_read() for note in _waiting(root / FOLDER))
    return any(uri is None or _is_for(note, uri) for note in notes)


def _is_for(note: Path, uri: str) -> bool:
    try:
        return settings.is_same_server(_read(note).tracking_uri, uri)
    except (OSError, ValueError):
        return False


def _store(wanted: TagChange) -> None:
    folder = places.to_write() / FOLDER
    folder.mkdir(mode=safe_files.FOLDER_MODE, exist_ok=True)
    now_ns = time.time_ns()
    note = folder / f"{now_ns:020}-{os.urandom(4).hex()}.json"
    _write(note, replace(wanted, logged_time_ms=now_ns // 1_000_000))
    begin()


def _write(note: Path, wanted: TagChange) -> None:
    temporary = note.with_suffix(f".{os.urandom(4).hex()}.tmp")
    checked_json.write(temporary, asdict(wanted), flush=True)
    temporary.replace(note)


def _read(note: Path) -> TagChange:
    found = checked_json.read(note.parent, note.name, NOTE_BYTES_MAX)
    return TagChange(**checked_json.typed(note.name, found, _TYPES, checked=True))


def _waiting(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"))


def _start_over_in_child() -> None:
    global _lock, _delivery
    _lock, _delivery = threading.Lock(), None


os.register_at_fork(after_in_child=_start_over_in_child)
