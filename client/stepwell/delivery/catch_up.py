"""Delivers what earlier processes left in this place, one spool after another, in the background."""

import asyncio
import contextlib
import functools
import math
import os
import time
from logging import getLogger
from pathlib import Path
from socket import gethostname

from stepwell import settings
from stepwell.delivery import experiment_tags
from stepwell.errors import StepwellException
from stepwell.spool import folders, places
from stepwell.spool.writer_file import read_writer
from stepwell.wire import background

_log = getLogger("stepwell")
# How often a process that has forked looks for what its children left.
LOOK_AGAIN_S = 1.0

_begun: set[str] = set()
# Whether something may have been left here since the beginning.
_may_be_left = False
# What cannot be delivered, as somebody was told: this process does not try again. At most one for each log.
_given_up: set[Path] = set()
_looked_s = 0.0
_task: "asyncio.Task[None] | None" = None


def begin(uri: str) -> None:
    """Start to deliver what is left for a server, once for each process and server; not in offline mode."""
    if uri in _begun or settings.is_offline() or background.is_fork():
        return
    _begun.add(uri)
    experiment_tags.begin()
    left = _left()
    if left:
        background.spawn(_deliver(uri, left))


def look_again(uri: str) -> None:
    """Deliver what forked children have left meanwhile; called in the background loop, now and then."""
    global _looked_s, _task
    if not _may_be_left or time.monotonic() - _looked_s < LOOK_AGAIN_S or (_task and not _task.done()):
        return
    _looked_s = time.monotonic()
    left = _left()
    _task = asyncio.create_task(_deliver(uri, left)) if left else None


def finish(timeout_s: float) -> None:
    """Deliver, at the end of the process, what it and its forked children have left."""
    for uri in _begun if _may_be_left else ():
        deliver = functools.partial(_deliver_within, timeout_s, uri, _left())
        with contextlib.suppress(TimeoutError, StepwellException):
            background.run(deliver)


async def _deliver_within(timeout_s: float, uri: str, left: list[Path]) -> None:
    async with asyncio.timeout(timeout_s):
        if _task is not None:  # under way already
            await asyncio.wait({_task})
        await _deliver(uri, left)


def _left() -> list[Path]:
    found = (folder for root in places.to_read() for folder in folders.spools(root))
    return [folder for folder in found if not folders.is_held_here(folder) and folder not in _given_up]


def give_up(folder: Path) -> None:
    """Take note that a spool cannot be delivered."""
    _given_up.add(folder)


def may_come(folder: Path) -> bool:
    """Tell whether a spool, of this process or left by it, is still to be delivered."""
    return folder not in _given_up and folder.exists()


async def _deliver(uri: str, left: list[Path]) -> None:
    for folder in left:
        try:
            await _deliver_one(uri, folder)
        except Exception as error:  # noqa: BLE001 - the others are delivered, and this one is named
            if folders.is_spool(folder):  # else somebody else has delivered it meanwhile
                if not folders.is_locked(folder):  # else it is about to be written by who lives
                    give_up(folder)
                reason = error.message if isinstance(error, StepwellException) else f"{folder}: {error!r}"
                _log.warning("What an earlier process left cannot be delivered: %s", reason)


async def _deliver_one(uri: str, folder: Path) -> None:
    from stepwell.delivery.left_delivery import deliver_left
    from stepwell.delivery.left_log import LeftLog

    writer = read_writer(folder)
    # What was logged for another server stays. Those of other machines may live, whatever the lock says; `stepwell
    # sync` looks closer.
    if not settings.is_same_server(writer.tracking_uri, uri) or writer.host != gethostname():
        return
    log = LeftLog(folder)
    if log.is_dead:
        await deliver_left(log, uri, away_s=math.inf)
        if log.delivery.failure is not None:
            give_up(folder)
        else:
            _log.info("Delivered what an earlier process left of run %s.", writer.run_id)


def deliver_left_here(uri: str) -> None:
    """Deliver what this process has just left, and leaves meanwhile; called in the background loop."""
    global _task
    _note_left()
    if _task is None or _task.done():
        _task = asyncio.create_task(_deliver_all(uri))


async def _deliver_all(uri: str) -> None:
    tried: set[Path] = set()
    while left := [folder for folder in _left() if folder not in tried]:
        tried.update(left)
        await _deliver(uri, left)


def _note_left() -> None:
    global _may_be_left
    _may_be_left = True


os.register_at_fork(after_in_parent=_note_left, after_in_child=_begun.clear)
