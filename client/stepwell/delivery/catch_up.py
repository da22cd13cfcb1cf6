"""Delivers what earlier processes left in this place, a few spools at a time, in the background."""

import asyncio
import contextlib
import functools
import math
import os
import time
from collections import defaultdict
from logging import getLogger
from pathlib import Path
from socket import gethostname

from stepwell import settings
from stepwell.delivery import experiment_tags, offline
from stepwell.errors import StepwellException
from stepwell.spool import folders, places
from stepwell.spool.writer_file import WriterFile, read_writer
from stepwell.wire import background

_log = getLogger("stepwell")
# How often a process that has forked looks for what its children left.
LOOK_AGAIN_S = 1.0
# Spools that are delivered at once: each waits for its commit most of the time. They have up to four files open each.
AT_ONCE = 4

_begun: set[str] = set()
# Whether this process has left something itself.
_has_left = False
# What cannot be delivered, as somebody was told: this process does not try again. At most one for each log.
_given_up: set[Path] = set()
# When somebody looked last, on the monotonic clock, by server.
_looked_s: dict[str, float] = {}
# Who delivers, by server.
_tasks: "dict[str, asyncio.Task[None]]" = {}


def begin(uri: str) -> None:
    """Start to deliver what is left for a server, once for each process and server; not in offline mode."""
    if uri in _begun or settings.is_offline() or background.is_fork():
        return
    _begun.add(uri)
    experiment_tags.begin()
    if _left():
        background.spawn(_begin_delivery(uri))


def resume(uri: str) -> None:
    """Go on after a fork, which ends what goes on in the background."""
    background.spawn(_begin_delivery(uri))


def look_again(uri: str) -> None:
    """Deliver what forked children have left meanwhile; called in the background loop, now and then."""
    since_s = time.monotonic() - _looked_s.get(uri, -math.inf)
    if not _may_be_left() or since_s < LOOK_AGAIN_S or uri in _tasks:
        return
    _looked_s[uri] = time.monotonic()
    if _left():
        _deliver_beside(uri)


def finish(timeout_s: float) -> None:
    """Deliver, at the end of the process, what it and its forked children have left, also where it logged nothing."""
    if settings.is_offline() or not _may_be_left():
        return
    from stepwell.wire.connection import connected

    for uri in connected():
        if uri in _tasks or _left():
            deliver = functools.partial(_deliver_within, timeout_s, uri)
            with contextlib.suppress(TimeoutError, StepwellException):
                background.run(deliver)


async def _deliver_within(timeout_s: float, uri: str) -> None:
    from stepwell.wire.connection import connect

    async with asyncio.timeout(timeout_s):
        await connect(uri).reach(offline.brief_reach_timeout_s())
        if (task := _tasks.get(uri)) is not None:  # under way already
            await asyncio.wait({task})
        await _deliver(uri, _left())


def _may_be_left() -> bool:
    return _has_left or background.has_forked()


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
    """Deliver spools, those of one run in the order in which they began."""
    folders_left = iter(left)
    turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def deliver_in_turn() -> None:
        for folder in folders_left:
            try:
                writer = read_writer(folder)
                async with turns[writer.run_id]:
                    await _deliver_one(uri, folder, writer)
            except Exception as error:  # noqa: BLE001 - the others are delivered, and this one is named
                _tell_undelivered(folder, error)

    await asyncio.gather(*(deliver_in_turn() for _ in range(AT_ONCE)))


def _tell_undelivered(folder: Path, error: Exception) -> None:
    if folders.is_spool(folder):  # else somebody else has delivered it meanwhile
        if not folders.is_locked(folder):  # else it is about to be written by who lives
            give_up(folder)
        reason = error.message if isinstance(error, StepwellException) else f"{folder}: {error!r}"
        _log.warning("What an earlier process left cannot be delivered: %s", reason)


async def _deliver_one(uri: str, folder: Path, writer: WriterFile) -> None:
    from stepwell.delivery.left_delivery import deliver_left
    from stepwell.delivery.left_log import LeftLog

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
    global _has_left
    _has_left = True
    _deliver_beside(uri)


async def _begin_delivery(uri: str) -> None:
    _deliver_beside(uri)


def _deliver_beside(uri: str) -> None:
    if uri not in _tasks:
        task = _tasks[uri] = asyncio.create_task(_deliver_all(uri))
        # One that is over would keep its calls, and these gRPC's thread, for whose end a fork waits.
        task.add_done_callback(lambda _: _tasks.pop(uri))


async def _deliver_all(uri: str) -> None:
    tried: set[Path] = set()
    while left := [folder for folder in _left() if folder not in tried]:
        tried.update(left)
        await _deliver(uri, left)


def _start_over_in_child() -> None:
    global _has_left
    _has_left = False
    _begun.clear()


os.register_at_fork(after_in_child=_start_over_in_child)
