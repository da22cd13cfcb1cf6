"""Watching runs: what is committed, as it is committed."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Protocol
from uuid import UUID

from stepwell_server.errors import InvalidArgumentError, NotFoundError, UnavailableError
from stepwell_server.model.series import Changes, Position, WatchStart
from stepwell_server.store.ports.series import SeriesStore, WatchStore

# Runs and names of one watcher, at most.
WATCHED_RUNS_MAX = 100
WATCHED_KEYS_MAX = 1_000
# A watcher gets news at most so often; what comes meanwhile comes together.
INTERVAL_S = 0.05
# Without a nudge a watcher looks by itself.
POLL_S = 1.0
# Without news a watcher gets an empty message, so that it can tell silence from a broken connection; and so often it is
# looked at whether it may still watch.
HEARTBEAT_S = 10.0


class News(Protocol):
    """Nudges."""

    def watching(self, run_ids: Sequence[UUID]) -> AbstractContextManager[asyncio.Event]:
        """Yield an event that is set when something may have been committed to one of the runs."""
        ...


class WatchService:
    """Follows runs. `stopping` is set when the server begins to stop."""

    def __init__(self, series: SeriesStore, commits: WatchStore, news: News, stopping: asyncio.Event) -> None:
        self._series = series
        self._commits = commits
        self._news = news
        self._stopping = stopping

    async def watch(
        self,
        run_ids: Sequence[UUID],
        keys: Sequence[str],
        start: WatchStart,
        positions: Sequence[Position],
        from_now: Sequence[UUID] = (),
    ) -> AsyncIterator[Changes]:
        """Yield what is committed to metrics of runs (to all of them when `keys` is empty), from `start` on.

        Where it is positions, the runs in `from_now` are followed from now on, but for the writers with a position.

        The first changes are empty but for the positions that the watch starts from. The next ones are read when
        the last ones were taken: who is slow gets more at once, and what is too much comes summed up, so nobody
        waits in memory.

        Raises:
            NotFoundError: there is no such run.
            InvalidArgumentError: too many runs or keys.
            UnavailableError: the server stops; go on with another one, from the last positions.
        """
        await self._check(run_ids, keys)
        with self._news.watching(run_ids) as nudged:
            known = await self._known(run_ids, start, positions, from_now)
            yield Changes((), [Position(*writer, position) for writer, position in known.items()])
            quiet_s = 0.0
            while not self._stopping.is_set():
                nudged.clear()
                changes = await self._commits.changes(run_ids, keys or None, known)
                known |= {(at.run_id, at.writer_id): at.position for at in changes.positions}
                if changes.positions or quiet_s >= HEARTBEAT_S:
                    quiet_s = 0.0
                    yield changes
                    await asyncio.sleep(INTERVAL_S)
                else:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(POLL_S):
                            await nudged.wait()
                    quiet_s += POLL_S
        raise UnavailableError("the server is stopping; go on watching from the last positions")

    async def _known(
        self,
        run_ids: Sequence[UUID],
        start: WatchStart,
        positions: Sequence[Position],
        from_now: Sequence[UUID],
    ) -> dict[tuple[UUID, UUID], int]:
        """How much of each writer's log the watcher has; nothing of those that are left out."""
        if start is WatchStart.NOW:
            positions = await self._commits.positions(run_ids)
        elif start is WatchStart.BEGINNING:
            positions = ()
        elif from_now:
            positions = [*await self._commits.positions(from_now), *positions]
        return {(at.run_id, at.writer_id): at.position for at in positions}

    async def _check(self, run_ids: Sequence[UUID], keys: Sequence[str]) -> None:
        if len(run_ids) > WATCHED_RUNS_MAX or len(keys) > WATCHED_KEYS_MAX:
            raise InvalidArgumentError(
                f"{len(run_ids)} runs and {len(keys)} keys are to be watched;"
                f" watch at most {WATCHED_RUNS_MAX} and {WATCHED_KEYS_MAX} at once"
            )
        exist = await self._series.start_times(run_ids)
        for run_id in run_ids:
            if run_id not in exist:
                raise NotFoundError(f"run {run_id.hex} does not exist")
