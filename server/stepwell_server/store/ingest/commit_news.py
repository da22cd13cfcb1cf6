"""The nudge: who watches a run is woken when something is committed to it, in this process and in others.

Only a nudge: what was committed is read from the tables, from the positions that the watcher has. A nudge that is
lost costs a watcher no more than the time until it looks by itself.
"""

import asyncio
import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from stepwell_server.errors import UnavailableError
from stepwell_server.process.logger import get_logger
from stepwell_server.store.postgres.pool import Connection, Pool
from stepwell_server.store.sql import load

# Runs are told of on one of so many channels, by their ids, so that a server hears little of what nobody watches there.
CHANNEL, CHANNELS = "stepwell_committed", 1_024
# Other processes are told at most so often; NOTIFY locks the queue of all databases while it commits.
TELL_INTERVAL_S = 0.05
# While none listens, each asks no more often than this whether one does: servers that all told would cost as many
# transactions as commits. So in its first second a watcher may learn of others' commits by looking itself.
UNHEARD_INTERVAL_S = 1.0
# Whoever listens shares it.
ADVISORY_LOCK_KEY = int.from_bytes(b"sw heard")
# Runs of one notification: 200 x 33 bytes; PostgreSQL takes 8,000. Beyond that everybody on the channel looks.
TOLD_RUNS_MAX = 200
EVERYBODY = "*"
# After a lost connection.
LISTEN_AGAIN_S = 1.0

_SQL = load("watching")

log = get_logger(__name__)


class CommitNews:
    """Brings nudges from commits to watchers while the context lasts."""

    def __init__(self, pool: Pool, listening: Pool | None) -> None:
        """`listening` lends two connections to PostgreSQL itself; without it only this process is heard."""
        self._telling = listening or pool
        self._listening = listening
        self._sender = uuid.uuid4().hex
        self._events: dict[UUID, set[asyncio.Event]] = {}
        self._untold: set[UUID] = set()
        self._to_tell = asyncio.Event()
        # What is watched, or the connection on which others are heard.
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._tell())]
        if self._listening is not None:
            self._tasks.append(asyncio.create_task(self._listen(self._listening)))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def committed(self, run_ids: Collection[UUID]) -> None:
        """Something was committed to these runs."""
        self._nudge(run_ids)
        self._untold.update(run_ids)
        self._to_tell.set()

    @contextmanager
    def watching(self, run_ids: Sequence[UUID]) -> Iterator[asyncio.Event]:
        """Yield an event that is set when something was committed to one of the runs."""
        event = asyncio.Event()
        for run_id in run_ids:
            self._events.setdefault(run_id, set()).add(event)
        self._changed.set()
        try:
            yield event
        finally:
            for run_id in set(run_ids):
                self._events[run_id].discard(event)
                if not self._events[run_id]:
                    del self._events[run_id]
            self._changed.set()

    def _nudge(self, run_ids: Collection[UUID]) -> None:
        for run_id in run_ids:
            for event in self._events.get(run_id, ()):
                event.set()

    async def _tell(self) -> None:
        while True:
            await self._to_tell.wait()
            self._to_tell.clear()
            runs, self._untold = self._untold, set()
            told = _by_channel(runs)
            payloads = [f"{self._sender}:{it}" for it in told.values()]
            is_heard = False
            with suppress(UnavailableError):  # watchers look by themselves
                async with self._telling.connection() as connection:
                    is_heard = await connection.fetchval_alone(
                        _SQL["tell"], list(told), payloads, ADVISORY_LOCK_KEY
                    )
            await asyncio.sleep(TELL_INTERVAL_S if is_heard else UNHEARD_INTERVAL_S)

    async def _listen(self, pool: Pool) -> None:
        """Hold a connection as long as somebody watches."""
        while True:
            if not self._events:
                self._changed.clear()
                await self._changed.wait()
                continue
            try:
                async with pool.connection() as connection:
                    await self._follow(connection)
            except UnavailableError as error:
                log.warning("watchers are not nudged by other servers for now", error=str(error))
                await asyncio.sleep(LISTEN_AGAIN_S)

    async def _follow(self, connection: Connection) -> None:
        """Hear what others tell of the channels of what is watched, until nothing is, or the connection is lost."""
        heard: set[str] = set()

        def lost(_: Any) -> None:
            self._changed.set()

        connection.add_termination_listener(lost)
        try:
            await connection.execute(_SQL["begin_to_listen"], ADVISORY_LOCK_KEY)
            while self._events and not connection.is_closed():
                self._changed.clear()
                wanted = {channel_of(run_id) for run_id in self._events}
                for channel in heard - wanted:
                    await connection.remove_listener(channel, self._hear)
                    heard.remove(channel)
                for channel in wanted - heard:
                    await connection.add_listener(channel, self._hear)
                    heard.add(channel)
                    # What was told before nobody heard.
                    self._nudge([run_id for run_id in self._events if channel_of(run_id) == channel])
                await self._changed.wait()
        finally:
            if not connection.is_closed():
                connection.remove_termination_listener(lost)
                for channel in heard:
                    await connection.remove_listener(channel, self._hear)
                await connection.execute(_SQL["listen_no_more"], ADVISORY_LOCK_KEY)

    def _hear(self, _connection: Any, _process_id: int, channel: str, payload: str) -> None:
        sender, _, told = payload.partition(":")
        if sender == self._sender:
            return
        if told == EVERYBODY:
            self._nudge([run_id for run_id in self._events if channel_of(run_id) == channel])
            return
        with suppress(ValueError):  # somebody else's words on our channel
            self._nudge([UUID(hex=run_id) for run_id in told.split(",")])


def channel_of(run_id: UUID) -> str:
    """Return where it is told that something was committed to a run."""
    return f"{CHANNEL}_{run_id.int % CHANNELS}"


def _by_channel(run_ids: Collection[UUID]) -> dict[str, str]:
    """Return what is to be told on each channel."""
    runs: dict[str, list[UUID]] = {}
    for run_id in run_ids:
        runs.setdefault(channel_of(run_id), []).append(run_id)
    return {
        channel: EVERYBODY if len(its) > TOLD_RUNS_MAX else ",".join(run_id.hex for run_id in its)
        for channel, its in runs.items()
    }
