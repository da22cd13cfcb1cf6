"""Who lives: leases of writers, renewed while their streams are open; runs whose writers are all gone are FAILED.

A writer that leaves in order gives its lease back. One that vanishes lets it run out, `lost_after_s` after its last
sign of life. A run that is RUNNING, and of whose writers none has a valid lease but at least one has one that ran
out, is lost; so is one whose process said that it would open a stream, and did not. It is taken back when a writer
returns. Other runs without writers are never touched.
"""

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Self
from uuid import UUID

from stepwell_server.errors import UnavailableError
from stepwell_server.model.ingest import AwaitedWriter, LostRun, WriterIdentity
from stepwell_server.process.logger import get_logger
from stepwell_server.store.ports.ingest import LeaseStore

# How often leases are renewed, at most: a thousand writers cost a hundred small row updates a second.
RENEW_INTERVAL_S = 10.0
# A lease outlives this many renewals that come too late or fail.
RENEWALS_PER_PERIOD_MIN = 4

log = get_logger(__name__)


class LeaseService:
    """Keeps the leases of the writers whose streams this server serves. Use as `async with`.

    `lost_after_s` 0 means that no run is ever taken for lost. Raises what `ports.LeaseStore` raises.
    """

    def __init__(self, store: LeaseStore, lost_after_s: float) -> None:
        self._store = store
        self._lost_after_s = lost_after_s
        self._interval_s = min(RENEW_INTERVAL_S, (lost_after_s or RENEW_INTERVAL_S) / RENEWALS_PER_PERIOD_MIN)
        self._streams: dict[asyncio.Task[object], WriterIdentity] = {}
        # A lease that is given back must not be renewed by a look that began before.
        self._one_change = asyncio.Lock()
        # The last look failed, or there was none yet: nobody may be judged by a time in which nothing was seen.
        self._was_blind = True
        self._looked_s = 0.0

    async def __aenter__(self) -> Self:
        self._keeper = asyncio.create_task(self._keep(), name="leases")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop renewing. Nothing is given back: the writers look for the server's successor now."""
        self._keeper.cancel()
        with suppress(asyncio.CancelledError):
            await self._keeper

    async def hold(self, identity: WriterIdentity) -> None:
        """Give the writer a lease, and renew it until the current task ends, which serves its stream."""
        task = asyncio.current_task()
        assert task is not None
        self._streams[task] = identity
        task.add_done_callback(lambda ended: self._streams.pop(ended, None))
        await self._renew({(identity.run_id, identity.writer_id): not identity.orphaned})

    async def await_writer(self, run_id: UUID, awaited: AwaitedWriter) -> None:
        """Expect a stream of the process that has created a run; when none comes, the run is lost."""
        await self._store.await_writer(run_id, awaited, self._period_ms)

    async def release(self, identity: WriterIdentity) -> None:
        """Take the lease back, because the writer leaves in order; another stream of it keeps it."""
        task = asyncio.current_task()
        assert task is not None
        self._streams.pop(task, None)
        async with self._one_change:
            if (identity.run_id, identity.writer_id) not in self._writers():
                await self._store.release(identity.run_id, identity.writer_id)

    async def look_round(self) -> None:
        """Renew the leases of all open streams, then fail the runs that are lost."""
        was_blind, self._was_blind = self._was_blind or self._was_away(), True
        if was_blind:
            await self._store.extend_all(self._period_ms)
        async with self._one_change:
            await self._renew(self._writers())
        if self._lost_after_s:
            for lost in await self._store.fail_lost_runs(self._explain):
                log.warning("run lost", run_id=lost.run_id.hex, host=lost.host, process=lost.process_id)
        self._was_blind, self._looked_s = False, time.time()

    def _was_away(self) -> bool:
        """Tell whether the last look is so long ago, by the clock on the wall, that leases ran out since.

        So it is after a machine has slept, a process was stopped, or the clock was set forward; the other servers, and
        the writers, may only be about to come back. A last look that is still to come is from before it was set back.
        """
        passed_s = time.time() - self._looked_s
        return self._lost_after_s > 0 and not 0 <= passed_s <= self._lost_after_s - self._interval_s

    @property
    def _period_ms(self) -> int:
        return int(self._lost_after_s * 1000)

    def _writers(self) -> dict[tuple[UUID, UUID], bool]:
        """The writers of the open streams, and whether their own process holds one."""
        writers: dict[tuple[UUID, UUID], bool] = {}
        for identity in self._streams.values():
            key = (identity.run_id, identity.writer_id)
            writers[key] = writers.get(key, False) or not identity.orphaned
        return writers

    async def _renew(self, writers: dict[tuple[UUID, UUID], bool]) -> None:
        for run_id in await self._store.hold(writers, self._period_ms) if writers else ():
            log.info("a lost run is back", run_id=run_id.hex)

    async def _keep(self) -> None:
        while True:
            try:
                await self.look_round()
            except UnavailableError as error:
                log.warning("leases could not be renewed", error=str(error))
            except Exception as error:
                # Whatever it is: the next turn may succeed, and without turns no run would ever be found lost.
                log.error("leases could not be renewed", exc_info=error)
            await asyncio.sleep(self._interval_s)

    def _explain(self, run: LostRun) -> str:
        rank = "" if run.rank is None else f", rank {run.rank}"
        what = (
            "All writers of this run ended without a word. The last one was"
            if run.came
            else "Nothing came from the process that began this run. It was"
        )
        return (
            f"{what} process {run.process_id} on "
            f"{run.host or 'an unnamed machine'}{rank}, last heard of at {_shown(run.heard_time_ms)}. "
            f"The run was taken for lost at {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC, after more than "
            f"{self._lost_after_s:g} s of silence. It goes on when a writer comes back."
        )


def _shown(time_ms: int) -> str:
    try:
        return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):  # a time that somebody made up
        return f"{time_ms} ms after 1970-01-01 UTC"
