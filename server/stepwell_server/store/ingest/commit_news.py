"""The nudge: who watches a run is woken when something is committed to it, in this process and in others.

Only a nudge: what was committed is read from the tables, from the positions that the watcher has. A nudge that is
lost costs a watcher no more than the time until it looks by itself.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from stepwell_server.errors import UnavailableError
from stepwell_server.process.logger import get_logger
from stepwell_server.store.postgres.pool import Connection, Pool
from stepwell_server.store.sql import load

CHANNEL = "stepwell_committed"
# Other processes are told at most so often; NOTIFY locks the queue of all databases while it commits.
TELL_INTERVAL_S = 0.05
# Runs of one notification: 200 x 33 bytes; PostgreSQL takes 8,000. Beyond that everybody looks.
TOLD_RUNS_MAX = 200
EVERYBODY = "*"
# After a lost connection.
LISTEN_AGAIN_S = 1.0

_SQL = load("watching")

log = get_logger(__name__)


class CommitNews:
    """Brings nudges from commits to watchers while the context lasts."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._sender = uuid.uuid4().hex
        self._events: dict[UUID, set[asyncio.Event]] = {}
        self._untold: set[UUID] = set()
        self._to_tell = asyncio.Event()
        self._watched = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._tell()), asyncio.create_task(self._listen())]
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
        self._watched.set()
        try:
            yield event
        finally:
            for run_id in set(run_ids):
                self._events[run_id].discard(event)
                if not self._events[run_id]:
                    del self._events[run_id]
            if not self._events:
                self._watched.clear()

    def _nudge(self, run_ids: Collection[UUID]) -> None:
        for run_id in run_ids:
            for event in self._events.get(run_id, ()):
                event.set()

    async def _tell(self) -> None:
        while True:
            await self._to_tell.wait()
            self._to_tell.clear()
            runs, self._untold = self._untold, set()
            told = EVERYBODY if len(runs) > TOLD_RUNS_MAX else ",".join(run_id.hex for run_id in runs)
            with suppress(UnavailableError):  # watchers look by themselves
                async with self._pool.transaction() as connection:
                    # Nothing is stored, so nothing has to wait for the disk.
                    await connection.execute("SET LOCAL synchronous_commit = off")
                    await connection.execute(_SQL["tell"], CHANNEL, f"{self._sender}:{told}")
            await asyncio.sleep(TELL_INTERVAL_S)

    async def _listen(self) -> None:
        """Hold a connection as long as somebody watches."""
        while True:
            await self._watched.wait()
            try:
                async with self._pool.connection() as connection, self._listening(connection) as closed:
                    self._nudge(list(self._events))  # what was told before nobody heard
                    await closed.wait()
            except UnavailableError as error:
                log.warning("watchers are not nudged by other servers for now", error=str(error))
            await asyncio.sleep(LISTEN_AGAIN_S)

    @asynccontextmanager
    async def _listening(self, connection: Connection) -> AsyncIterator[asyncio.Event]:
        """Hear what others tell; yields an event that is set when the connection is gone."""
        closed = asyncio.Event()

        def lost(_: Any) -> None:
            closed.set()

        connection.add_termination_listener(lost)
        await connection.add_listener(CHANNEL, self._hear)
        try:
            yield closed
        finally:
            if not closed.is_set():
                connection.remove_termination_listener(lost)
                await connection.remove_listener(CHANNEL, self._hear)

    def _hear(self, _connection: Any, _process_id: int, _channel: str, payload: str) -> None:
        sender, _, told = payload.partition(":")
        if sender == self._sender:
            return
        if told == EVERYBODY:
            self._nudge(list(self._events))
            return
        with suppress(ValueError):  # somebody else's words on our channel
            self._nudge([UUID(hex=run_id) for run_id in told.split(",")])
